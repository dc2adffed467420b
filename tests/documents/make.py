#!/usr/bin/env python3
"""Makes documents: good ones of every kind, some of them large, and bombs and broken ones.

    make.py good DIR    good documents, with what must be in their text
    make.py bad DIR     bombs, broken files, wrong types

Each folder gets a `list.json`: a row for each file with its kind, its charset, what has to come of it (`text`,
`refused` or `either`), and words that the text must or must not have. The same seed makes the same files.
"""

import base64
import io
import json
import pathlib
import random
import struct
import sys
import zipfile
import zlib

RANDOM = random.Random(20240501)
MIB = 1 << 20

WORDS = (
    "river bridge engineer council budget winter station signal harbour module sensor gateway voltage "
    "maintenance contract supplier delivery inspection reading temperature pressure valve operator "
    "schedule report department question answer measure result improvement safety training annual"
).split()

SENTENCE_MARK = "The inspection of unit {} found no fault."


def sentence(length=12):
    words = [RANDOM.choice(WORDS) for _ in range(length)]
    return " ".join(words).capitalize() + "."


def paragraph(sentences=5):
    return " ".join(sentence() for _ in range(sentences))


def noisy(length):
    """Words that do not pack well, as those of a text do not."""
    return base64.b64encode(RANDOM.randbytes(length * 3 // 4)).decode().replace("/", " ").replace("+", " ")


class Folder:
    """A folder of documents, and the list of them."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.rows = []

    def add(self, name, kind, content, want, **more):
        """more: charset, has, lacks, order, skipped, big."""
        if isinstance(content, str):
            content = content.encode()
        (self.path / name).write_bytes(content)
        self.rows.append({"file": name, "kind": kind, "want": want, **more})

    def finish(self):
        (self.path / "list.json").write_text(json.dumps(self.rows, indent=1, ensure_ascii=False))
        print(f"{len(self.rows)} documents in {self.path}", file=sys.stderr)


# --- ZIP ---------------------------------------------------------------------------------------


def archive(parts, stored=()):
    """An archive of (name, content) in this order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts:
            how = zipfile.ZIP_STORED if name == "mimetype" or name in stored else zipfile.ZIP_DEFLATED
            file.writestr(zipfile.ZipInfo(name), content, how)
    return out.getvalue()


def raw_archive(entries):
    """An archive whose fields say what they are told to. Each entry: a dict of its fields."""
    out, listed = b"", b""
    for entry in entries:
        name = entry["name"].encode()
        data = entry.get("data", b"")
        packed = entry.get("packed", len(data))
        method = entry.get("method", 8)
        content = zlib.decompress(data, -15) if data and method == 8 else data
        size = entry.get("size", len(content) if data else packed)
        flags = entry.get("flags", 0)
        at = entry.get("at", len(out))
        fields = struct.pack("<HHHHHIIIHH", 20, flags, method, 0, 0, zlib.crc32(content), packed, size, len(name), 0)
        if not entry.get("ghost"):
            out += b"PK\3\4" + fields + name + data
        listed += b"PK\1\2" + struct.pack("<H", 20) + fields + b"\0" * 10 + struct.pack("<I", at) + name
    count = len(entries) & 0xFFFF
    return out + listed + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(listed), len(out), 0)


def deflated(content):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


# --- DOCX and EPUB -----------------------------------------------------------------------------

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = f"""<?xml version="1.0"?><w:styles {W}>
<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Kop2"><w:name w:val="heading 2"/></w:style></w:styles>"""


def run_of(text):
    return f'<w:p><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def docx(body, more=()):
    document = f'<?xml version="1.0" encoding="UTF-8"?><w:document {W}><w:body>{body}</w:body></w:document>'
    core = "<cp:coreProperties><dc:title>Yearly report</dc:title></cp:coreProperties>"
    parts = [("[Content_Types].xml", "<Types/>"), ("docProps/core.xml", core), ("word/styles.xml", STYLES)]
    return archive([*parts, ("word/document.xml", document), *more])


def good_docx():
    body = [
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>State of the bridge</w:t></w:r></w:p>',
        '<w:p><w:pPr><w:pStyle w:val="Kop2"/></w:pPr><w:r><w:t>Findings</w:t></w:r></w:p>',
    ]
    body += [run_of(paragraph()) for _ in range(400)]
    body += [
        f'<w:p><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>item {n}</w:t></w:r></w:p>' for n in range(3)
    ]
    cell = "<w:tc>{}</w:tc>".format
    body.append(f"<w:tbl><w:tr>{cell(run_of('Part'))}{cell(run_of('Count'))}</w:tr><w:tr>{cell(run_of('Bolt'))}{cell(run_of('412'))}</w:tr></w:tbl>")
    images = [(f"word/media/image{n}.png", RANDOM.randbytes(200_000)) for n in range(10)]
    return docx("".join(body), images)


CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'


def epub(chapters, more=(), opf=None):
    items = "".join(f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    opf = opf or f"<package><metadata><dc:title>The long way</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    parts = [("mimetype", "application/epub+zip"), ("META-INF/container.xml", CONTAINER), ("OEBPS/content.opf", opf)]
    parts += [(f"OEBPS/c{n}.xhtml", text) for n, text in enumerate(chapters)]
    return archive([*parts, *more])


def chapter(number):
    text = "".join(f"<p>{paragraph()}</p>" for _ in range(60))
    return f'<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><h1>Chapter {number}</h1>{text}</body></html>'


# --- PDF ---------------------------------------------------------------------------------------


class Pdf:
    """Objects, put together to a file. They are numbered as they come."""

    def __init__(self):
        self.out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
        self.places = []

    def add(self, content):
        if isinstance(content, str):
            content = content.encode("latin-1")
        self.places.append(len(self.out))
        self.out += b"%d 0 obj\n" % len(self.places) + content + b"\nendobj\n"
        return len(self.places)

    def stream(self, content, entries="", packed=True, length=None):
        if isinstance(content, str):
            content = content.encode("latin-1")
        if packed:
            content, entries = zlib.compress(content), entries + " /Filter /FlateDecode"
        length = len(content) if length is None else length
        return self.add(f"<< /Length {length} {entries} >>\nstream\n".encode() + content + b"\nendstream")

    def end(self, trailer, table=True):
        at = len(self.out)
        size = len(self.places) + 1
        if table:
            self.out += b"xref\n0 %d\n0000000000 65535 f \n" % size
            self.out += b"".join(b"%010d 00000 n \n" % place for place in self.places)
        self.out += f"trailer\n<< /Size {size} {trailer} >>\nstartxref\n{at}\n%%EOF\n".encode()
        return self.out


HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def escaped(text):
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def wrapped(text, width=80):
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > width:
            lines.append(line.rstrip())
            line = ""
        line += word + " "
    return [*lines, line.rstrip()]


def page_of(number, font="F1", shown=None):
    shown = shown or (lambda text: f"({escaped(text)})")
    out = [f"BT /F1 9 Tf 72 810 Td (Handbook of the gateway) Tj ET BT /{font} 20 Tf 72 770 Td {shown(f'Section {number}')} Tj ET"]
    y = 730
    for count in range(4):
        text = (SENTENCE_MARK.format(f"{number}-{count}") + " " + paragraph(4)).strip()
        for line in wrapped(text):
            out.append(f"BT /{font} 10 Tf 72 {y} Td {shown(line)} Tj ET")
            y -= 12
        y -= 14
    out.append(f"BT /F1 9 Tf 290 30 Td ({number}) Tj ET")
    return "\n".join(out)


def good_pdf(pages):
    """Two fonts: one simple, and one of glyph numbers that only its map gives a meaning."""
    pdf = Pdf()
    letters = "".join(chr(code) for code in range(32, 127))
    glyph = {letter: index + 3 for index, letter in enumerate(letters)}
    ranges = f"<{3:04x}> <{2 + len(letters):04x}> <0020>"
    unicode_map = f"1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange {ranges} endbfrange"
    pdf.add(HELVETICA)
    pdf.stream(unicode_map)
    pdf.add("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /ABC+Own /DW 500 >>")
    pdf.add("<< /Type /Font /Subtype /Type0 /BaseFont /ABC+Own /Encoding /Identity-H /DescendantFonts [3 0 R] /ToUnicode 2 0 R >>")
    pdf.add("<< /Type /Catalog /Pages 6 0 R >>")
    kids = " ".join(f"{7 + 2 * n} 0 R" for n in range(pages))
    pdf.add(f"<< /Type /Pages /Count {pages} /Kids [{kids}] /Resources << /Font << /F1 1 0 R /F2 4 0 R >> >> >>")

    def in_glyphs(text):
        return "<" + "".join(f"{glyph[letter]:04x}" for letter in text) + ">"

    for number in range(pages):
        pdf.add(f"<< /Type /Page /Parent 6 0 R /MediaBox [0 0 595 842] /Contents {8 + 2 * number} 0 R >>")
        own = number % 2 == 1
        pdf.stream(page_of(number + 1, "F2" if own else "F1", in_glyphs if own else None))
    info = pdf.add("<< /Title (Handbook) >>")
    return pdf.end(f"/Root 5 0 R /Info {info} 0 R")


def small_pdf(content="BT /F1 10 Tf 72 700 Td (Some text is here.) Tj ET", resources="", trailer="", page="", packed=True):
    """Object 1 is the font, 2 the catalog, 3 the tree, 4 the page, 5 its content."""
    pdf = Pdf()
    pdf.add(HELVETICA)
    pdf.add("<< /Type /Catalog /Pages 3 0 R >>")
    pdf.add("<< /Type /Pages /Count 1 /Kids [4 0 R] >>")
    pdf.add(f"<< /Type /Page /Parent 3 0 R /Contents 5 0 R /Resources << /Font << /F1 1 0 R >> {resources} >> {page} >>")
    pdf.stream(content, packed=packed)
    return pdf


def one_page(**more):
    return small_pdf(**more).end("/Root 2 0 R")


# --- Mail --------------------------------------------------------------------------------------


def good_mail():
    plain = "Dear colleagues,\n\nthe bridge is open again. See the attached invoice.\n\nBest regards\nAnn\n" * 50
    html = "<html><body><p>The HTML twin must not be read.</p></body></html>"
    invoice = base64.encodebytes(RANDOM.randbytes(3 * MIB)).decode()
    return f"""Received: from a by b\r
From: =?utf-8?b?{base64.b64encode("Jörg Größe".encode()).decode()}?= <j@example.org>\r
To: team@example.org\r
Subject: =?iso-8859-1?Q?Br=FCcke_wieder?= =?iso-8859-1?Q?_offen?=\r
Date: Mon, 6 May 2024 08:00:00 +0200\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="mix"\r
\r
--mix\r
Content-Type: multipart/alternative; boundary="alt"\r
\r
--alt\r
Content-Type: text/plain; charset=utf-8\r
\r
{plain}\r
--alt\r
Content-Type: text/html; charset=utf-8\r
\r
{html}\r
--alt--\r
--mix\r
Content-Type: application/pdf; name="invoice.pdf"\r
Content-Disposition: attachment; filename="invoice.pdf"\r
Content-Transfer-Encoding: base64\r
\r
{invoice}\r
--mix--\r
"""


# --- HTML --------------------------------------------------------------------------------------


def good_html(size):
    menu = "".join(f'<li><a href="/{word}">{word.capitalize()}</a></li>' for word in WORDS)
    head = f"""<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>The bridge is open</title>
<style>{"p { color: red } " * 2000}</style><script>{"var a = '<p>script text</p>'; " * 5000}</script></head><body>
<header><nav><ul>{menu}</ul></nav></header><div class="cookie-banner"><p>We use cookies. Please accept all of them.</p></div>
<div class="sidebar"><ul>{menu}</ul></div><main><article><h1>The bridge is open</h1>"""
    tail = f"""</article></main><aside><p>This is about something else altogether.</p></aside>
<div id="comments"><p>First! I never liked that bridge anyway.</p></div>
<footer><p>Imprint and privacy. All rights reserved by us.</p><ul>{menu}</ul></footer></body></html>"""
    parts, length, number = [head], len(head), 0
    while length < size:
        number += 1
        part = f'<h2>Part {number}</h2><p>{SENTENCE_MARK.format(number)} {paragraph(8)}</p><ul><li>{sentence()}<li>{sentence()}</ul><!-- {sentence()} -->\n'
        parts.append(part)
        length += len(part)
    return "".join([*parts, tail])


# --- The folders -------------------------------------------------------------------------------

GERMAN = "Die Übergröße der Möbel läßt sich nicht ändern, sagte der Verkäufer und ging über die Brücke nach Hause. "
RUSSIAN = "Все люди рождаются свободными и равными в своём достоинстве и правах. Они наделены разумом и совестью. "
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた事だけは記憶している。"


def make_good(folder):
    lines = [f"2024-05-01T00:00:{n % 60:02d} {sentence()}" for n in range(5000)]
    block = "\n".join(lines) + "\n"
    text = (block * (64 * MIB // len(block) + 1))[: 64 * MIB - 30] + "\nthe very last line\n"
    folder.add("log.txt", "text", text, "text", has=["the very last line"], big=True)
    folder.add("page.html", "html", good_html(10 * MIB), "text", big=True,
               has=["# The bridge is open", SENTENCE_MARK.format(1), SENTENCE_MARK.format(1000), "## Part 7\n", "\n- "],
               lacks=["cookies", "script text", "color", "something else", "never liked", "Imprint", "Valve\n"])
    folder.add("book.pdf", "pdf", good_pdf(300), "text", big=True, lacks=["Handbook of the gateway\n\nHandbook", "\n\n17\n"],
               has=["# Section 1\n", "# Section 300\n", SENTENCE_MARK.format("299-3"), SENTENCE_MARK.format("300-0"), SENTENCE_MARK.format("150-2")])
    folder.add("report.docx", "docx", good_docx(), "text", big=True, skipped=["10 images are not read"],
               has=["# State of the bridge", "## Findings", "- item 0\n- item 1", "Part | Count\nBolt | 412"])
    folder.add("book.epub", "epub", epub([chapter(n) for n in range(40)]), "text", big=True,
               has=["# Chapter 0\n", "# Chapter 39\n"], order=["# Chapter 9\n", "# Chapter 10\n", "# Chapter 11\n"])
    folder.add("mail.eml", "mail", good_mail(), "text", big=True, lacks=["HTML twin"],
               skipped=["attachment invoice.pdf (application/pdf) is not read"],
               has=["Subject: Brücke wieder offen", "From: Jörg Größe <j@example.org>", "the bridge is open again"])
    records = "".join(f"{n};{RANDOM.choice(WORDS)};\"{sentence(6)}\"\n" for n in range(100_000))
    folder.add("table.csv", "csv", "number;place;remark\n" + records, "text", big=True, has=["number: 99999; place: "])
    lines = "".join(json.dumps({"id": n, "at": {"place": RANDOM.choice(WORDS)}, "tags": ["a", "b"]}) + "\n" for n in range(100_000))
    folder.add("lines.jsonl", "json_lines", lines + "no json\n", "text", big=True, has=["id: 99999\nat.place: ", "tags: a, b"],
               skipped=["line 100001 is no JSON"])
    folder.add("notes.md", "markdown", "# Notes\n\n* one\n* two\n\n    code\n", "text", has=["# Notes\n\n* one"])
    for charset, text in [("latin-1", GERMAN), ("utf-16", GERMAN), ("utf-16-be", GERMAN), ("utf-8", GERMAN), ("utf-8-sig", GERMAN),
                          ("shift_jis", JAPANESE), ("euc-jp", JAPANESE), ("koi8-r", RUSSIAN), ("cp1251", RUSSIAN), ("utf-8", RUSSIAN)]:
        name = f"{charset}-{len(folder.rows)}"
        has = [text.split(" ")[0].split("。")[0]]
        folder.add(f"{name}.txt", "text", (text * 30).encode(charset), "text", has=has)
        if not charset.startswith("utf-16"):
            folder.add(f"{name}.html", "html", f"<meta charset={charset}><p>".encode() + (text * 30).encode(charset), "text", has=has)
        label = {"utf-8-sig": "utf-8"}.get(charset, charset)
        folder.add(f"{name}-declared.txt", "text", text.encode(charset), "text", charset=label, has=has)


def bad_archives(folder):
    zeros = deflated(b"\0" * (100 * MIB))
    spaces = deflated(b"<w:p><w:t>" + b"a b " * (25 * MIB) + b"</w:t></w:p>")
    folder.add("bomb-flat.docx", "docx", raw_archive([{"name": "word/document.xml", "data": zeros}]), "refused")
    folder.add("bomb-text.docx", "docx", raw_archive([{"name": "word/document.xml", "data": spaces}]), "refused")
    folder.add("bomb-styles.docx", "docx", raw_archive([{"name": "word/styles.xml", "data": zeros}, {"name": "word/document.xml", "data": deflated(run_of("x").encode())}]), "refused")
    one = {"name": "word/document.xml", "data": spaces}
    folder.add("bomb-overlap.epub", "epub", overlapping(), "either")
    folder.add("bomb-sizes.docx", "docx", raw_archive([{**one, "data": deflated(run_of("small").encode()), "size": 0xFFFFFFFE}]), "text", has=["small"])
    folder.add("bomb-packed.docx", "docx", raw_archive([{**one, "packed": 0xFFFFFFF0}]), "refused")
    folder.add("bomb-entries.docx", "docx", raw_archive([{"name": f"e{n}", "ghost": True, "at": 0} for n in range(60_000)]), "refused")
    inner = archive([("word/document.xml", run_of("inner"))])
    for _ in range(10):
        inner = archive([("word/document.xml", inner)])
    folder.add("bomb-nested.docx", "docx", inner, "either")
    folder.add("bomb-quine.docx", "docx", raw_archive([{"name": "word/document.xml", "data": b"", "ghost": True, "at": 0, "packed": 2_000, "method": 0}]), "refused")
    folder.add("zip-encrypted.docx", "docx", raw_archive([{**one, "flags": 1}]), "refused")
    folder.add("zip-method.docx", "docx", raw_archive([{**one, "method": 14}]), "refused")
    folder.add("zip-no-document.docx", "docx", archive([("xl/workbook.xml", "<x/>")]), "refused")
    folder.add("zip-empty.docx", "docx", b"PK\5\6" + b"\0" * 18, "refused")
    folder.add("zip-zip64.docx", "docx", b"PK\3\4" + b"\0" * 60 + b"PK\5\6" + b"\xff" * 16 + b"\0\0", "refused")
    folder.add("zip-list-far.docx", "docx", b"PK\3\4" + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 46, 0x7FFFFFFF, 0), "refused")
    for level in (3, 30_000):
        laughs = "".join(f'<!ENTITY l{n} "{"&l%d;" % (n - 1) * 10}">' for n in range(1, 11))
        document = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><w:document {W}>{run_of("&l10;" * level)}</w:document>'
        folder.add(f"laughs-{level}.docx", "docx", archive([("word/document.xml", document)]), "text", has=["&l10;"], lacks=["haha"])
    xxe = f'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><w:document {W}>{run_of("a &f; b")}</w:document>'
    folder.add("entity-file.docx", "docx", archive([("word/document.xml", xxe)]), "text", lacks=["root:"], has=["a &f; b"])
    for name, tag in [("p", "w:p"), ("tbl", "w:tbl"), ("box", "w:txbxContent"), ("any", "x")]:
        deep = f"<{tag}>" * 300_000
        folder.add(f"deep-{name}.docx", "docx", docx(deep + run_of("down here")), "either")
        folder.add(f"deep-closed-{name}.docx", "docx", docx(deep + run_of("down here") + f"</{tag}>" * 300_000), "either")
    folder.add("long-paragraph.docx", "docx", docx(run_of("word " * 1_000 + noisy(5_000_000) + " end")), "text", has=["word word", " end"])
    folder.add("long-name.docx", "docx", docx(f"<n{noisy(5_000_000).replace(' ', '').replace('=', '')}>" + run_of("after")), "refused")
    folder.add("long-attribute.docx", "docx", docx(f"<w:x a='{noisy(5_000_000)}'/>" + run_of("after")), "refused")
    folder.add("long-row.docx", "docx", docx("<w:tbl><w:tr>" + f"<w:tc>{run_of('cell')}</w:tc>" * 100_000 + "</w:tr></w:tbl>"), "text", has=["cell | cell"])
    folder.add("many-styles.docx", "docx", archive([
        ("word/styles.xml", "".join(f'<w:style w:styleId="s{n}"><w:name w:val="heading 1"/></w:style>' for n in range(200_000))),
        ("word/document.xml", run_of("text"))]), "text", has=["text"])


def overlapping():
    """Many parts that are all the same bytes."""
    data = deflated(b"<p>" + b"a b " * (2 * MIB) + b"</p>")
    ghosts = [{"name": f"OEBPS/c{n}.xhtml", "ghost": True, "data": data, "at": None} for n in range(300)]
    items = "".join(f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(300))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(300))
    opf = f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>"
    first = [{"name": "META-INF/container.xml", "data": deflated(CONTAINER.encode())}, {"name": "OEBPS/content.opf", "data": deflated(opf.encode())}]
    at = sum(30 + len(entry["name"]) + len(entry["data"]) for entry in first)
    real = {"name": "OEBPS/c0.xhtml", "data": data}
    return raw_archive([*first, real, *({**ghost, "at": at} for ghost in ghosts[1:])])


def bad_books(folder):
    page = "<html><body><p>Some text.</p></body></html>"
    strong = '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></EncryptedData></encryption>'
    folder.add("drm.epub", "epub", epub([page], [("META-INF/encryption.xml", strong)]), "refused")
    folder.add("rights.epub", "epub", epub([page], [("META-INF/rights.xml", "<r/>")]), "refused")
    folder.add("no-container.epub", "epub", archive([("mimetype", "application/epub+zip")]), "refused")
    folder.add("no-package.epub", "epub", archive([("META-INF/container.xml", CONTAINER)]), "refused")
    folder.add("no-chapters.epub", "epub", epub([], opf="<package/>"), "refused")
    folder.add("many-items.epub", "epub", epub([page], opf="<package><manifest>" + "".join(f'<item id="i{n}" href="c0.xhtml" media-type="text/html"/>' for n in range(300_000)) + '</manifest><spine><itemref idref="i1"/></spine></package>'), "text", has=["Some text."])
    folder.add("same-chapter.epub", "epub", epub([f"<p>{'long text ' * 100_000}</p>"], opf='<package><manifest><item id="a" href="c0.xhtml" media-type="text/html"/></manifest><spine>' + '<itemref idref="a"/>' * 100_000 + "</spine></package>"), "text", has=["long text"])
    folder.add("paths.epub", "epub", epub([page], opf='<package><manifest><item id="a" href="../../../../etc/passwd" media-type="text/html"/><item id="b" href="c0.xhtml" media-type="text/html"/></manifest><spine><itemref idref="a"/><itemref idref="b"/></spine></package>'), "text", has=["Some text."], lacks=["root:"])


def bad_pdfs(folder):
    add = folder.add
    pdf = Pdf()
    pdf.add(HELVETICA)
    pdf.add("<< /Pages 3 0 R >>")
    pdf.add("<< /Kids [3 0 R 3 0 R 4 0 R] >>")
    pdf.add("<< /Kids [3 0 R 4 0 R] >>")
    add("ring-of-pages.pdf", "pdf", pdf.end("/Root 2 0 R"), "refused")
    pdf = Pdf()
    pdf.add("<< /Pages 2 0 R >>")
    for number in range(2, 3000):
        pdf.add(f"<< /Kids [{number + 1} 0 R {number + 1} 0 R] >>")
    pdf.add("<< /Type /Page >>")
    add("deep-pages.pdf", "pdf", pdf.end("/Root 1 0 R"), "refused")
    pdf = small_pdf(page="")
    kids = "4 0 R " * 500_000
    wide = pdf.out.replace(b"/Kids [4 0 R]", f"/Kids [{kids}]".encode())
    add("wide-pages.pdf", "pdf", wide + b"trailer << /Root 2 0 R >>", "text", has=["Some text is here."])
    many = Pdf()
    many.add("<< /Pages 2 0 R >>")
    many.add(f"<< /Kids [{' '.join(f'{n} 0 R' for n in range(3, 8003))}] >>")
    for _ in range(8000):
        many.add("<< /Type /Page >>")
    add("too-many-pages.pdf", "pdf", many.end("/Root 1 0 R"), "refused")
    for name, forms in [("self", ["/X0 Do " * 50]), ("two", ["/X1 Do /X1 Do", "/X0 Do /X0 Do"]), ("tree", [f"{f'/X{n + 1} Do ' * 10}" for n in range(30)])]:
        pdf = Pdf()
        pdf.add(HELVETICA)
        pdf.add("<< /Pages 3 0 R >>")
        pdf.add("<< /Kids [4 0 R] >>")
        names = " ".join(f"/X{n} {6 + n} 0 R" for n in range(len(forms)))
        pdf.add(f"<< /Type /Page /Contents 5 0 R /Resources << /Font << /F1 1 0 R >> /XObject << {names} >> >> >>")
        pdf.stream("/X0 Do BT /F1 10 Tf (Text.) Tj ET")
        for form in forms:
            pdf.stream(form, "/Subtype /Form")
        add(f"forms-{name}.pdf", "pdf", pdf.end("/Root 2 0 R"), "text", has=["Text."])
    text = small_pdf()
    add("xref-loop.pdf", "pdf", text.end(f"/Root 2 0 R /Prev {len(text.out)}"), "text", has=["Some text is here."])
    add("xref-chain.pdf", "pdf", chained(), "either")
    add("xref-far.pdf", "pdf", one_page().replace(b"startxref\n", b"startxref\n9999999"), "text", has=["Some text is here."])
    add("xref-huge.pdf", "pdf", one_page().replace(b"xref\n0 6", b"xref\n0 999999999"), "text", has=["Some text is here."])
    add("xref-wild-number.pdf", "pdf", one_page().replace(b"xref\n0 6", b"xref\n4294967290 6"), "text", has=["Some text is here."])
    add("references.pdf", "pdf", one_page().replace(HELVETICA.encode(), b"1 0 R"), "either")
    bomb = zlib.compress(b"\0" * (200 * MIB), 9)
    spaces = zlib.compress(b" " * (200 * MIB), 9)
    text_bomb = zlib.compress(b"BT /F1 10 Tf " + b"(words of a bomb) Tj T* " * (8 * MIB) + b" ET", 9)
    for name, data in [("zeros", bomb), ("spaces", spaces), ("text", text_bomb)]:
        pdf = small_pdf()
        pdf.out = pdf.out[: pdf.places.pop()]
        pdf.places.append(len(pdf.out))
        pdf.out += f"5 0 obj << /Length {len(data)} /Filter /FlateDecode >>\nstream\n".encode() + data + b"\nendstream endobj\n"
        add(f"bomb-{name}.pdf", "pdf", pdf.end("/Root 2 0 R"), "either")
    twice = zlib.compress(zlib.compress(b" " * (100 * MIB), 9), 9)
    pdf = small_pdf()
    pdf.stream(twice, "/Filter [/FlateDecode /FlateDecode]", packed=False)
    add("bomb-twice.pdf", "pdf", pdf.end("/Root 2 0 R").replace(b"/Contents 5 0 R", b"/Contents 6 0 R"), "either")
    filters = "/Filter [" + "/FlateDecode " * 1000 + "]"
    pdf = small_pdf()
    pdf.stream(b"x", filters, packed=False)
    add("filters.pdf", "pdf", pdf.end("/Root 2 0 R").replace(b"/Contents 5 0 R", b"/Contents 6 0 R"), "refused")
    for name, length in [("huge", 1 << 60), ("negative", -5), ("self", "5 0 R"), ("zero", 0)]:
        pdf = small_pdf(packed=False)
        fixed = pdf.end("/Root 2 0 R")
        start = fixed.index(b"/Length ", fixed.index(b"5 0 obj"))
        end = fixed.index(b">>", start)
        add(f"length-{name}.pdf", "pdf", fixed[:start] + f"/Length {length} ".encode() + fixed[end:], "text", has=["Some text is here."])
    for name, number, body in [("count", 10**9, "1 0 " * 50_000), ("numbers", 50_000, "99999999 99999999 " * 50_000), ("bomb", 10, None)]:
        pdf = small_pdf()
        content = body.encode() if body else b" " * (100 * MIB)
        pdf.stream(content, f"/Type /ObjStm /N {number} /First 4")
        add(f"objects-{name}.pdf", "pdf", pdf.end("/Root 2 0 R", table=False), "either")
    pdf = Pdf()
    pdf.stream("2 0 3 40 << /Pages 3 0 R >>", "/Type /ObjStm /N 2 /First 9 /Extends 1 0 R")
    add("objects-within.pdf", "pdf", pdf.end("/Root 2 0 R", table=False), "refused")
    add("deep-arrays.pdf", "pdf", one_page(page="/X " + "[" * 1_000_000), "either")
    add("deep-dicts.pdf", "pdf", one_page(page="/X " + "<< /A " * 1_000_000), "either")
    add("deep-in-content.pdf", "pdf", one_page(content="[" * 3_000_000 + " BT /F1 10 Tf (x) Tj"), "either")
    add("long-string.pdf", "pdf", one_page(content="BT /F1 10 Tf (" + "long words " * 100 + noisy(5_000_000) + ") Tj ET"), "either")
    add("long-array.pdf", "pdf", one_page(content="BT /F1 10 Tf [" + "".join(f"({letter}) -{300 + n % 89} " for n, letter in enumerate("a" * 9 + noisy(1_000_000))) + "] TJ ET"), "either")
    add("many-operands.pdf", "pdf", one_page(content="1 " * 2_000_000 + "BT /F1 10 Tf (Here.) Tj ET"), "either")
    add("many-saves.pdf", "pdf", one_page(content="q " * 2_000_000 + "BT /F1 10 Tf (Here.) Tj ET"), "text", has=["Here."])
    add("numbers.pdf", "pdf", one_page(content="BT /F1 1e999 Tf 9" + "9" * 400 + " 0 0 1 nan inf Tm (a) Tj /F1 10 Tf (Here.) Tj ET"), "either")
    add("open-string.pdf", "pdf", one_page(content="BT /F1 10 Tf (never closed " + "( " * 1000), "either")
    add("inline-image.pdf", "pdf", one_page(content="BI /W 9 ID " + "x" * 5_000_000 + " BT /F1 10 Tf (x) Tj ET"), "either")
    columns = "/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 2000000000 /Colors 32 >>"
    pdf = small_pdf()
    pdf.stream(zlib.compress(b"x" * 100), columns, packed=False)
    add("predictor.pdf", "pdf", pdf.end("/Root 2 0 R").replace(b"/Contents 5 0 R", b"/Contents 6 0 R"), "refused")
    for name, body in [("range", "1 beginbfrange <00000000> <ffffffff> <0041> endbfrange"), ("chars", "100 beginbfchar " + "".join(f"<{n & 65535:04x}> <{n * 7919 & 65535:04x}> " for n in range(600_000)) + "endbfchar"),
                       ("texts", "1 beginbfchar " + "".join(f"<{n:04x}> <{'0041' * 500}> " for n in range(20_000)) + "endbfchar"), ("arrays", "1 beginbfrange <0000> <ffff> [" + "<0041> " * 500_000 + "] endbfrange"), ("cut", "1 beginbfrange <00")]:
        pdf = small_pdf(content="BT /F2 10 Tf <41424142> Tj /F1 10 Tf 0 -20 Td (Here.) Tj ET")
        pdf.stream(body)
        pdf.add("<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /ToUnicode 6 0 R /DescendantFonts [<< >>] >>")
        add(f"cmap-{name}.pdf", "pdf", pdf.end("/Root 2 0 R").replace(b"/F1 1 0 R", b"/F1 1 0 R /F2 7 0 R"), "text", has=["Here."])
    for name, entries in [("widths", "/W [0 99999999 1000 0 [" + "500 " * 500_000 + "]]"), ("nonsense", "/W [1 2] /DW (x)"), ("self", "/W 7 0 R")]:
        pdf = small_pdf(content="BT /F2 10 Tf <00410042> Tj /F1 10 Tf 0 -20 Td (Here.) Tj ET")
        pdf.add(f"<< /Type /Font /Subtype /CIDFontType2 {entries} >>")
        pdf.add("<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /DescendantFonts [6 0 R] >>")
        add(f"font-{name}.pdf", "pdf", pdf.end("/Root 2 0 R").replace(b"/F1 1 0 R", b"/F1 1 0 R /F2 7 0 R"), "text", has=["Here."])
    fonts = Pdf()
    fonts.add(HELVETICA)
    fonts.add("<< /Type /Catalog /Pages 3 0 R >>")
    fonts.add("<< /Kids [4 0 R] >>")
    names = " ".join(f"/G{n} {n + 6} 0 R" for n in range(3000))
    fonts.add(f"<< /Type /Page /Contents 5 0 R /Resources << /Font << {names} >> >> >>")
    fonts.stream("BT " + " ".join(f"/G{n} 10 Tf (x) Tj" for n in range(3000)) + " ET")
    for _ in range(3000):
        fonts.add("<< /Type /Font /Subtype /Type1 /Encoding << /Differences [0 " + "/a " * 256 + "] >> >>")
    add("many-fonts.pdf", "pdf", fonts.end("/Root 2 0 R"), "text")
    add("encrypted.pdf", "pdf", small_pdf().end("/Root 2 0 R /Encrypt << /Filter /Standard /V 4 >>"), "refused")
    add("no-pages.pdf", "pdf", Pdf().end("/Root 1 0 R"), "refused")
    add("scan.pdf", "pdf", one_page(content="q 100 0 0 100 0 0 cm /Im0 Do Q"), "refused")
    add("obj-words.pdf", "pdf", b"%PDF-1.4\n" + b"1 0 obj " * 500_000, "refused")
    add("streams-without-end.pdf", "pdf", b"%PDF-1.4\n" + b"".join(b"%d 0 obj << /Type /ObjStm /N 1 /First 1 >> stream\n" % n for n in range(1, 3000)), "refused")
    add("comments.pdf", "pdf", b"%PDF-1.4\n" + b"%" * 5_000_000, "refused")


def chained():
    """A thousand tables, each of which names the one before."""
    out, place = b"%PDF-1.4\n", 0
    for _ in range(1000):
        at = len(out)
        out += b"xref\n0 1\n0000000000 65535 f \ntrailer << /Prev %d >>\n" % place
        place = at
    return out + b"startxref\n%d\n" % place


def bad_pages(folder):
    add = folder.add
    for tag in ("div", "b", "table", "ul", "svg", "nav", "a", "font"):
        add(f"deep-{tag}.html", "html", f"<{tag}>" * 400_000 + "Down here is a sentence.", "either")
    add("deep-closed.html", "html", "<div>" * 200_000 + "Down here is a sentence." + "</div>" * 200_000, "text", has=["Down here"])
    add("ends-only.html", "html", "</div>" * 2_000_000 + "Here is a sentence.", "text", has=["Here is"])
    add("attributes.html", "html", "<p " + "a=b " * 2_000_000 + ">Here is a sentence.", "text", has=["Here is"])
    add("attribute.html", "html", f"<p title='{'x' * 20_000_000}'>Here is a sentence.", "text", has=["Here is"])
    add("name.html", "html", f"<{'x' * 20_000_000}>Here is a sentence.", "text", has=["Here is"])
    add("comment.html", "html", "<!--" + "-" * 20_000_000 + "x>Here is a sentence.", "refused")
    add("script.html", "html", "<p>Here is a sentence.</p><script>" + "</scrip>" * 2_000_000, "text", has=["Here is"])
    add("entities.html", "html", "<p>" + "&amp;&nbsp;&#x41;&nonsense;" * 700_000, "text", has=["&"])
    add("entity.html", "html", "<p>&" + "x" * 20_000_000, "text")
    add("lone.html", "html", "<" * 10_000_000 + "Here is a sentence.", "either")
    add("titles.html", "html", "<title>" + "t" * 10_000_000 + "</title><p>Here is a sentence.", "text", has=["Here is"])
    add("headings.html", "html", "<h1>" + "heading " * 1_000_000 + "</h1><h2>x</h2>" * 1000 + "<p>Here is a sentence.", "text", has=["Here is"])
    add("cells.html", "html", "<table><tr>" + "<td>cell" * 1_000_000, "text", has=["cell"])
    add("rows.html", "html", "<table>" + "<tr><td>a<td>b" * 500_000, "text", has=["a | b"])
    add("items.html", "html", "<ul>" + "<li>An item that is a text." * 300_000, "text", has=["- An item"])
    add("pre.html", "html", "<pre>" + "line\n" * 2_000_000, "text", has=["line\nline"])
    add("empty.html", "html", "<html><body><script>x</script></body></html>", "refused")
    add("charset.html", "html", "<meta charset=nonsense><p>Here is a sentence.", "text", has=["Here is"])


def bad_mails(folder):
    add = folder.add
    add("nested-messages.eml", "mail", "Subject: x\n" + "Content-Type: message/rfc822\n\nSubject: y\n" * 20_000, "either")
    parts = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(20_000))
    add("nested-parts.eml", "mail", "Subject: x\n" + parts + "\nend", "either")
    add("many-parts.eml", "mail", "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\n\ntext\n" * 300_000, "text", has=["text"])
    add("same-boundary.eml", "mail", "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 5000 + "--b\n\nfound", "either")
    add("long-header.eml", "mail", "Subject: " + "x" * 20_000_000 + "\n\nbody", "text", has=["body"])
    add("many-headers.eml", "mail", "Subject: x\n" + "X-A: y\n" * 2_000_000 + "\nbody", "text", has=["body"])
    add("folded.eml", "mail", "Subject: x\n" + " y\n" * 2_000_000 + "\nbody", "text", has=["body"])
    add("words.eml", "mail", "Subject: " + "=?utf-8?q?a?= " * 200_000 + "\n\nbody", "text", has=["body"])
    add("parameters.eml", "mail", "Subject: x\nContent-Type: text/plain; " + "a*0=b; " * 100_000 + "\n\nbody", "text", has=["body"])
    add("boundary.eml", "mail", "Subject: x\nContent-Type: multipart/mixed; boundary=" + "b" * 3000 + "\n\n--" + "b" * 3000 + "\n\nbody", "either")
    add("base64.eml", "mail", "Subject: x\nContent-Transfer-Encoding: base64\n\n" + "!" * 20_000_000 + "aGVsbG8=", "text", has=["hello"])
    add("quoted.eml", "mail", "Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n" + "=" * 5_000_000 + "=41 end", "text", has=["end"])
    add("no-header.eml", "mail", "just text\n\nmore of it", "refused")
    add("charset.eml", "mail", "Subject: x\nContent-Type: text/plain; charset=nonsense\n\nbody", "text", has=["body"])
    add("attachments-only.eml", "mail", "Subject: pictures\nContent-Type: image/png\n\nxxxx", "text", has=["Subject: pictures"])


def bad_tables(folder):
    add = folder.add
    add("field.csv", "csv", "a,b\n1,\"" + "long field " * (60 * MIB // 11) + "\"\n", "text", has=["b: long field"])
    add("open-quote.csv", "csv", "a,b\n\"" + "x,y\n" * 5_000_000, "text", has=["a: x,y"])
    add("columns.csv", "csv", ",".join(f"c{n}" for n in range(1_000_000)) + "\n" + "1," * 1_000_000, "text", has=["c1; c2"])
    add("commas.csv", "csv", "," * 20_000_000, "refused")
    add("quotes.csv", "csv", "a,b\n" + '"' * 10_000_001, "either")
    add("names.csv", "csv", "a" * 100 + ",b\n" + "1,2\n" * 100_000, "text")
    add("line.jsonl", "json_lines", '{"a":"' + "x" * (60 * MIB) + '"}', "refused")
    add("line-and-more.jsonl", "json_lines", '{"a":"' + "x" * (60 * MIB) + '"}\n{"b":1}\n', "text", has=["b: 1"], skipped=["line 1 is longer than 1048576 bytes"])
    add("deep.jsonl", "json_lines", "[" * 500_000 + "\n" + '{"a":' * 100_000 + "\n{\"ok\":1}\n", "text", has=["ok: 1"])
    add("names.jsonl", "json_lines", '{"' + "n" * 500_000 + '":[' + '{"x":1,"y":2},' * 30_000 + "{}]}\n{\"ok\":1}", "text", has=["ok: 1"])
    add("empty-lines.jsonl", "json_lines", "\n" * 20_000_000, "refused")
    add("no.jsonl", "json_lines", "no\njson\n", "refused")


def bad_texts(folder):
    add = folder.add
    add("zeros.txt", "text", b"\0" * 5_000_000, "refused")
    add("spaces.txt", "text", b" \n" * 5_000_000, "refused")
    add("one-line.txt", "text", b"word " * 8_000_000, "text", has=["word word"])
    add("dots.txt", "text", b"." * 20_000_000, "text", has=["..."], lacks=["...."])
    add("unknown-charset.txt", "text", "grüße".encode(), "text", charset="x-nonsense", has=["grüße"])
    add("wrong-charset.txt", "text", "grüße an alle".encode("latin-1"), "text", charset="utf-8", has=["gr"], skipped=["2 bytes are not in the charset utf-8"])
    add("replacement.txt", "text", b"abc" * 10, "either", charset="replacement")
    add("utf7.txt", "text", b"+AGEAYg-", "text", charset="utf-7")
    add("odd-utf16.txt", "text", b"\xff\xfea\0b\0c", "text")
    add("surrogates.txt", "text", b"\xff\xfe" + b"\x00\xd8" * 100_000 + b"a\0", "text")
    add("iso-2022.txt", "text", b"\x1b$B" * 1_000_000, "either", charset="iso-2022-jp")
    add("high.txt", "text", b"\xff" * 5_000_000, "either")
    add("empty.txt", "text", b"", "refused")


def bad_any(folder):
    """Good documents cut at many places, changed bytes, wrong types, and noise after the right beginning."""
    small = {
        "pdf": good_pdf(3),
        "docx": docx(run_of("Some words of it.") * 50),
        "epub": epub([chapter(1), chapter(2)]),
        "mail": good_mail()[: 20_000].encode(),
        "html": good_html(5000).encode(),
    }
    for kind, content in small.items():
        for part in range(1, 8):
            folder.add(f"cut-{part}.{kind}", kind, content[: len(content) * part // 8], "either")
        for number in range(3):
            changed = bytearray(content)
            for _ in range(30):
                changed[RANDOM.randrange(len(changed))] = RANDOM.randrange(256)
            folder.add(f"changed-{number}.{kind}", kind, bytes(changed), "either")
    for kind, magic in [("pdf", b"%PDF-1.7\n"), ("docx", b"PK\3\4"), ("epub", b"PK\3\4"), ("mail", b"Subject: x\n\n"), ("html", b"<html>")]:
        folder.add(f"noise.{kind}", kind, magic + RANDOM.randbytes(300_000), "either")
    for kind in ("text", "csv", "json_lines", "markdown"):
        folder.add(f"noise.{kind}", kind, RANDOM.randbytes(300_000), "either")
    for kind, content in [("pdf", small["docx"]), ("docx", small["pdf"]), ("epub", small["docx"]), ("docx", small["epub"]), ("mail", small["pdf"]), ("json_lines", small["html"])]:
        folder.add(f"wrong-{len(folder.rows)}.{kind}", kind, content, "either")


def main():
    makers = {"good": [make_good], "bad": [bad_archives, bad_books, bad_pdfs, bad_pages, bad_mails, bad_tables, bad_texts, bad_any]}
    if len(sys.argv) != 3 or sys.argv[1] not in makers:
        sys.exit(__doc__)
    folder = Folder(sys.argv[2])
    for make in makers[sys.argv[1]]:
        make(folder)
    folder.finish()


if __name__ == "__main__":
    main()
