//! Where Apache httpd, HAProxy and Caddy are told to listen.

use super::Machine;

#[test]
fn apache_through_its_includes() {
    let debian = |ports: &str, load: &str| {
        Machine::default()
            .file("/etc/apache2/envvars", "export APACHE_RUN_DIR=/run/apache2\nexport SIDE_PORT=8088\n")
            .file(
                "/etc/apache2/apache2.conf",
                "Include ports.conf\nIncludeOptional mods-enabled/*.load\nInclude more.conf\n",
            )
            .file("/etc/apache2/mods-enabled/a.load", load)
            .file("/etc/apache2/ports.conf", ports)
            .file("/etc/apache2/more.conf", "<IfModule ssl_module>\n  Listen 8443 https\n</IfModule>\n")
            .run("apachectl -D FOREGROUND")
    };
    assert_eq!(debian("listen 127.0.0.1:8081\n", "LoadModule ssl_module x.so\n"), "http:127.0.0.1:8081 https:*:8443");
    assert_eq!(debian("Listen 8081\n# Listen 8082\n", "LoadModule env_module x.so\n"), "http:*:8081");
    assert_eq!(debian("Listen ${SIDE_PORT}\n", "LoadModule env_module x.so\n"), "http:*:8088");
    assert_eq!(debian("Listen ${OTHER}\n", "LoadModule env_module x.so\n"), "?");
    assert_eq!(debian("Listen [::1]:8081\nInclude gone.conf\n", "LoadModule env_module x.so\n"), "http:::1:8081 ?");
    let redhat = |name: &str, more: &str| {
        let main = "ServerRoot \"/etc/httpd\"\nListen 8081\nIncludeOptional conf.d/*.conf\n";
        let shop = "<VirtualHost *:8081>\nSSLEngine on\n</VirtualHost>\nListen 10.0.0.5:8082\n";
        Machine::default()
            .file("/etc/httpd/conf/httpd.conf", main)
            .file("/etc/httpd/conf.d/shop.conf", shop)
            .file(name, more)
            .run("/usr/sbin/httpd -DFOREGROUND")
    };
    assert_eq!(redhat("/elsewhere.conf", ""), "https:*:8081 http:10.0.0.5:8082");
    let plain = "<VirtualHost *:8081>\nDocumentRoot /srv\n</VirtualHost>\n";
    assert_eq!(redhat("/etc/httpd/conf.d/wiki.conf", plain), "unknown:*:8081 http:10.0.0.5:8082");
    let on_every_port = "<VirtualHost *>\nSSLEngine on\n</VirtualHost>\n";
    assert_eq!(redhat("/etc/httpd/conf.d/all.conf", on_every_port), "https:*:8081 unknown:10.0.0.5:8082");
    assert_eq!(Machine::default().run("httpd -DFOREGROUND"), "?");
    let endless = Machine::default().file("/etc/httpd/conf/httpd.conf", "Listen 80\nInclude conf/httpd.conf\n");
    assert!(endless.run("httpd").ends_with(" ?"));
}

#[test]
fn haproxy_by_its_frontends() {
    let told = |config: &str| {
        let machine = Machine::default().variable("SIDE", "127.0.0.1").hidden_variable("HIDDEN");
        machine.file("/etc/haproxy/haproxy.cfg", config).run("haproxy -W -f /etc/haproxy/haproxy.cfg")
    };
    let web = "defaults\n  mode http\nfrontend web\n";
    assert_eq!(
        told(&format!("{web}  bind :8080 # all\n  bind 127.0.0.1:8443 ssl crt /x\n")),
        "http:*:8080 https:127.0.0.1:8443"
    );
    assert_eq!(
        told(&format!("{web}  bind :8080,[::1]:8081 accept-proxy\n  mode tcp\n")),
        "unknown:*:8080 unknown:::1:8081"
    );
    assert_eq!(told(&format!("{web}  bind unix@/run/edge.sock mode 660\n  bind abns@inner\n")), "http:/run/edge.sock");
    assert_eq!(
        told(&format!("{web}  bind \"${{SIDE}}:9000-9002\"\n")),
        "http:127.0.0.1:9000 http:127.0.0.1:9001 http:127.0.0.1:9002"
    );
    assert_eq!(told(&format!("{web}  bind \"$HIDDEN\"\n")), "?");
    assert_eq!(
        told("listen old 0.0.0.0:8080\n  server a 127.0.0.1:1\nbackend b\n  server b 127.0.0.1:2\n"),
        "unknown:*:8080"
    );
    assert_eq!(told("global\n  stats socket /run/haproxy/admin.sock\n"), "?");
}

#[test]
fn caddy_by_its_addresses() {
    let told = |config: &str| {
        let machine = Machine::default().variable("PORT", "8090").hidden_variable("HIDDEN");
        machine.file("/etc/caddy/Caddyfile", config).run("caddy run --config /etc/caddy/Caddyfile")
    };
    assert_eq!(
        told(":8080 {\n  respond /x { \n  }\n}\nhttp://a.example:8081, http://b.example {\n}\n"),
        "http:*:8080 http:*:8081 http:*:80"
    );
    assert_eq!(told("shop.example\nroot * /srv\n"), "http:*:80 https:*:443");
    assert_eq!(told("{\n  http_port 8000\n  auto_https off\n}\nshop.example {\n}\n"), "http:*:8000");
    assert_eq!(
        told("(common) {\n  bind 127.0.0.1\n}\n:{$PORT:9000} {\n}\n:{$OTHER:9001} {\n}\n"),
        "http:*:8090 http:*:9001"
    );
    assert_eq!(told(":{$HIDDEN} {\n}\n"), "?");
    assert_eq!(told(":8080 {\n  bind 127.0.0.1\n}\n"), "http:*:8080 ?");
    assert_eq!(told("import sites/*\n"), "?");
    assert_eq!(told(":8443 {\n  tls internal\n}\n"), "unknown:*:8443");
}
