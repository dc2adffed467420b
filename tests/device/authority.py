"""Certificates for the fake cloud: an authority of its own, and certificates that are valid from and until any moment."""

import pathlib
import subprocess

FAR = "20991231235959Z"

# `openssl ca` is the one command of OpenSSL 3.0 that takes the moment from which a certificate is valid.
SETTINGS = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[site]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


class Authority:
    """An authority whose files lie in a folder. `root` is what clients are to trust."""

    def __init__(self, folder, not_before="20200101000000Z"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root, self.key = self.folder / "root.pem", self.folder / "root.key"
        (self.folder / "index.txt").touch()
        self.request("root", "edgehold test authority")
        self.sign("root", "root", not_before, FAR, "IP:127.0.0.1", ["-selfsign"])

    def site(self, name, not_before="20200101000000Z", names="IP:10.0.2.2,IP:127.0.0.1,DNS:localhost"):
        """A certificate for these names and its key, as one file."""
        self.request(name, name)
        self.sign(name, "site", not_before, FAR, names, ["-cert", self.root])
        both = self.folder / f"{name}.both.pem"
        both.write_bytes((self.folder / f"{name}.pem").read_bytes() + (self.folder / f"{name}.key").read_bytes())
        return both

    def request(self, name, subject):
        at = self.folder / name
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{at}.key")
        openssl("req", "-new", "-key", f"{at}.key", "-subj", f"/CN={subject}", "-out", f"{at}.csr")

    def sign(self, name, extensions, not_before, not_after, names, by):
        at, settings = self.folder / name, self.folder / f"{name}.cnf"
        settings.write_text(SETTINGS.format(folder=self.folder, names=names))
        openssl(
            *("ca", "-batch", "-notext", "-config", settings, "-keyfile", self.key, *by, "-extensions", extensions),
            *("-startdate", not_before, "-enddate", not_after, "-in", f"{at}.csr", "-out", f"{at}.pem"),
        )


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"openssl {words[0]}: {done.stderr[-500:]}")
