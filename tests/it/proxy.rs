//! The outgoing proxy, and requests that try to choose where they are sent.

use serde_json::json;

use crate::support::tls::Authority;
use crate::support::{
    Act, Fake, Folder, Gateway, NO_RETRY, Ollama, OpenAi, Pair, Setup, alias, openai, reply, run,
};

/// A proxy that takes every CONNECT to one address.
fn proxy_to(fake: &Fake) -> Fake {
    let proxy = Fake::new();
    let address = fake.address;
    proxy.answer("", move |seen| match seen.method.as_str() {
        "CONNECT" => {
            vec![Act::Send(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec()), Act::Tunnel(address)]
        }
        _ if seen.path.ends_with("/models") => reply::json(200, &json!({"data": []})),
        _ => reply::json(200, &openai::answer("by the proxy")),
    });
    proxy
}

#[test]
fn https_goes_through_the_proxy_as_a_tunnel() {
    run(async {
        let (authority, folder) = (Authority::new(), Folder::new());
        let ca_file = authority.write(&folder.0);
        let cloud = OpenAi::on_fake(Fake::with_tls(authority.server("cloud.example")));
        cloud.says("through the tunnel");
        let proxy = proxy_to(&cloud);
        let more = format!("ca_file = \"{}\"\napi_key = {{ env = \"MY_KEY\" }}", ca_file.display());
        let tables = openai::table("cloud", "https://cloud.example/v1", "cloud", &more)
            + &alias("big", &["cloud/x"])
            + NO_RETRY;
        let gateway = Setup::new(&tables)
            .env("MY_KEY", "sk-not-for-the-proxy")
            .env("HTTPS_PROXY", &format!("http://user:pass@{}", proxy.address))
            .start()
            .await;
        assert_eq!(gateway.chat("big", "hello").await.expect(200).content(), "through the tunnel");
        let seen = proxy.seen("");
        let connect = seen.iter().find(|seen| seen.method == "CONNECT").expect("a CONNECT");
        assert_eq!(connect.path, "cloud.example:443");
        assert_eq!(connect.header("proxy-authorization"), Some("Basic dXNlcjpwYXNz"));
        assert!(seen.iter().all(|seen| seen.method == "CONNECT" && !seen.head.contains("sk-not")));
        let chat = &cloud.seen(openai::CHAT)[0];
        assert_eq!(chat.header("authorization"), Some("Bearer sk-not-for-the-proxy"));
        assert_eq!(chat.header("proxy-authorization"), None, "the proxy's password is its own");
        assert!(!gateway.log().contains("user:pass"));
    });
}

#[test]
fn plain_http_goes_to_the_proxy_with_its_whole_address() {
    run(async {
        let proxy = proxy_to(&Fake::new());
        let tables = openai::table("cloud", "http://cloud.example/v1", "cloud", "")
            + &alias("big", &["cloud/x"])
            + NO_RETRY;
        let gateway = Setup::new(&tables)
            .env("http_proxy", &format!("http://{}", proxy.address))
            .start()
            .await;
        assert_eq!(gateway.chat("big", "hello").await.expect(200).content(), "by the proxy");
        let seen = proxy.seen(openai::CHAT);
        assert_eq!(seen[0].path, "http://cloud.example/v1/chat/completions");
        assert_eq!(seen[0].header("host"), Some("cloud.example"));
    });
}

#[test]
fn what_is_local_or_excepted_goes_through_no_proxy() {
    run(async {
        let (local, cloud, proxy) = (Ollama::saying("local"), OpenAi::saying("cloud"), Fake::new());
        let tables = local.local("local")
            + &cloud.cloud("cloud")
            + &alias("small", &["local/tiny"])
            + &alias("big", &["cloud/x"]);
        let address = format!("http://{}", proxy.address);
        let gateway = Setup::new(&tables)
            .env("HTTP_PROXY", &address)
            .env("HTTPS_PROXY", &address)
            .env("ALL_PROXY", &address)
            .env("NO_PROXY", &format!("example.org,{}", cloud.address.ip()))
            .start()
            .await;
        assert_eq!(gateway.chat("small", "hello").await.expect(200).content(), "local");
        assert_eq!(gateway.chat("big", "hello").await.expect(200).content(), "cloud");
        assert_eq!((proxy.connections(), proxy.bytes()), (0, 0));
    });
}

#[test]
fn a_proxy_that_is_down_is_a_fault_of_the_way() {
    run(async {
        let proxy = Fake::new();
        proxy.down().await;
        let second = OpenAi::saying(crate::support::SECOND);
        let table = openai::table("first", "https://cloud.example/v1", "cloud", "");
        let gateway = Pair::setup(&second, &table, NO_RETRY)
            .env("HTTPS_PROXY", &format!("http://{}", proxy.address))
            .start()
            .await;
        // The second one is plain http, which this proxy is not for.
        assert_eq!(
            gateway.chat("both", "hello").await.expect(200).content(),
            crate::support::SECOND
        );
        assert_eq!(gateway.provider("first").await["reach"], "down");
    });
}

#[test]
fn a_request_cannot_choose_where_it_goes() {
    run(async {
        let (cloud, elsewhere) = (OpenAi::saying("cloud"), Fake::new());
        let tables = cloud.table("cloud", "cloud", "api_key = { env = \"MY_KEY\" }")
            + &alias("big", &["cloud/x"])
            + NO_RETRY;
        let gateway = Setup::new(&tables).env("MY_KEY", "sk-mine").start().await;
        let address = format!("http://{}/v1", elsewhere.address);
        for field in
            ["api_base", "base_url", "url", "endpoint", "api_url", "proxy", "provider", "host"]
        {
            let mut body = openai::request("big", "hello", false);
            body[field] = json!(address);
            body["extra_headers"] = json!({"Host": elsewhere.address.to_string()});
            body["metadata"] = json!({field: address});
            let answer = gateway.post(openai::CHAT, &body).await.expect(200);
            assert_eq!(answer.content(), "cloud", "{field}");
        }
        let headers = [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Base-Url", address.as_str()),
            ("Forwarded", "host=evil.example"),
        ];
        gateway.chat_with("big", "hello", &headers).await.expect(200);
        for model in
            [address.as_str(), "http://evil.example/x", "cloud/../../x", "../x", "cloud/x?y=1#z"]
        {
            let answer = gateway.chat(model, "hello").await;
            assert!(matches!(answer.status(), 200 | 400 | 404), "{model}: {}", answer.text());
        }
        assert_eq!((elsewhere.connections(), elsewhere.bytes()), (0, 0));
        for seen in cloud.seen("") {
            assert!(
                ["/v1/chat/completions", "/v1/models"].contains(&seen.path.as_str()),
                "{}",
                seen.path
            );
            assert_eq!(seen.header("x-forwarded-host"), None);
        }
    });
}

#[test]
fn a_redirect_is_followed_by_nobody() {
    run(async {
        for status in [301, 302, 303, 307, 308] {
            let (cloud, elsewhere) = (OpenAi::new(), OpenAi::saying("never"));
            let location = format!("http://{}/v1/chat/completions", elsewhere.address);
            let head = reply::whole(status, &[("Location", &location)], b"");
            cloud.on(openai::CHAT, vec![Act::Send(head)]);
            let tables = cloud.table("cloud", "cloud", "api_key = { env = \"MY_KEY\" }")
                + &alias("big", &["cloud/x"])
                + NO_RETRY;
            let gateway: Gateway = Setup::new(&tables).env("MY_KEY", "sk-mine").start().await;
            gateway.chat("big", "hello").await.expect(503);
            assert_eq!(
                (cloud.chats(), elsewhere.connections(), elsewhere.bytes()),
                (1, 0, 0),
                "{status}"
            );
        }
    });
}
