//! What Go, Ruby, Rust and C# programs say.

use crate::read::app::tests::{Machine, check};

fn go(imports: &str, rest: &str) -> String {
    format!("package main\n\nimport (\n\t\"os\"\n\t{imports}\n)\n\nfunc main() {{\n\t{rest}\n}}\n")
}

#[test]
fn go_programs() {
    let http = |rest: &str| go("\"net/http\"", rest);
    check(
        "main.go",
        &[
            (&http("http.ListenAndServe(\":4100\", nil)"), &[], "any:4100 HTTP \"4100\""),
            (&http("log.Fatal(http.ListenAndServe(\"127.0.0.1:4100\", mux))"), &[], "127.0.0.1:4100 HTTP \"4100\""),
            (
                &http("go http.ListenAndServe(\":4101\", nil)\n\thttp.ListenAndServeTLS(\":4100\", c, k, nil)"),
                &[],
                "any:4101 HTTP \"4101\"\nany:4100 HTTPS \"4100\"",
            ),
            (
                &http(
                    "port := os.Getenv(\"PORT\")\n\tif port == \"\" {\n\t\tport = \"4100\"\n\t}\n\thttp.ListenAndServe(\":\"+port, nil)",
                ),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &http(
                    "port := os.Getenv(\"PORT\")\n\tif port == \"\" {\n\t\tport = \"4100\"\n\t}\n\thttp.ListenAndServe(\":\"+port, nil)",
                ),
                &[("PORT", "9100")],
                "any:9100 HTTP \"9100\"",
            ),
            (
                &http(
                    "port := \"4100\"\n\tif p := os.Getenv(\"PORT\"); p != \"\" {\n\t\tport = p\n\t}\n\thttp.ListenAndServe(fmt.Sprintf(\":%s\", port), nil)",
                ),
                &[("PORT", "9100")],
                "any:9100 HTTP \"9100\"",
            ),
            (
                &http(
                    "srv := &http.Server{\n\t\tAddr: \":4100\",\n\t\tHandler: mux,\n\t\tIdleTimeout: 60 * time.Second,\n\t}\n\tsrv.ListenAndServe()",
                ),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &http("http.ListenAndServe(os.Getenv(\"ADDR\"), nil)"),
                &[("ADDR", "?")],
                "open: the address of `http.ListenAndServe` in main.go is not plain",
            ),
            (
                &http(
                    "port, ok := os.LookupEnv(\"PORT\")\n\tif !ok {\n\t\tport = \"4100\"\n\t}\n\thttp.ListenAndServe(\":\"+port, nil)",
                ),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &http("http.ListenAndServe(config.Address(), nil)"),
                &[],
                "open: the address of `http.ListenAndServe` in main.go is not plain",
            ),
            (
                &go("\"github.com/gin-gonic/gin\"", "r := gin.Default()\n\tr.GET(\"/\", h)\n\tr.Run()"),
                &[],
                "any:8080 HTTP default",
            ),
            (
                &go("\"github.com/gin-gonic/gin\"", "r := gin.Default()\n\tr.Run()"),
                &[("PORT", "9100")],
                "any:9100 HTTP \"9100\"",
            ),
            (&go("\"github.com/gin-gonic/gin\"", "r := gin.New()\n\tr.Run(\":4100\")"), &[], "any:4100 HTTP \"4100\""),
            (
                &go("\"github.com/labstack/echo/v4\"", "e := echo.New()\n\te.Logger.Fatal(e.Start(\":4100\"))"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &go("\"github.com/gofiber/fiber/v2\"", "app := fiber.New()\n\tapp.Listen(\":4100\")"),
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                &go(
                    "\"google.golang.org/grpc\"",
                    "lis, err := net.Listen(\"tcp\", \":4100\")\n\ts := grpc.NewServer()\n\ts.Serve(lis)",
                ),
                &[],
                "any:4100 HTTP/2 \"4100\"",
            ),
            (&go("\"net\"", "lis, _ := net.Listen(\"unix\", \"/run/a.sock\")"), &[], "/run/a.sock ? \"/run/a.sock\""),
        ],
    );
    let helper = format!(
        "{}\nfunc getEnv(key, fallback string) string {{\n\tif v, ok := os.LookupEnv(key); ok {{\n\t\treturn v\n\t}}\n\treturn fallback\n}}\n",
        http("http.ListenAndServe(\":\" + getEnv(\"PORT\", \"4100\"), nil)")
    );
    check("main.go", &[(&helper, &[], "any:4100 HTTP \"4100\"")]);
}

#[test]
fn go_flags_and_packages() {
    let flags = go(
        "\"net/http\"",
        "addr := flag.String(\"addr\", \":4100\", \"where\")\n\tflag.Parse()\n\thttp.ListenAndServe(*addr, nil)",
    );
    let files = [
        ("/app/main.go", flags.as_str()),
        ("/pkg/main.go", "package main\n\nfunc main() {\n\tserve()\n}\n"),
        (
            "/pkg/serve.go",
            "package main\n\nimport \"net/http\"\n\nfunc serve() {\n\thttp.ListenAndServe(\":4200\", nil)\n}\n",
        ),
    ];
    let machine = Machine::new(&files, &[]);
    let heard = |path: &str, words: &[&str]| machine.listening(&machine.entry(path, words).listening);
    assert_eq!(heard("/app/main.go", &[]), "any:4100 HTTP \"4100\"");
    assert!(heard("/app/main.go", &["-addr=:9100"]).starts_with("any:9100 HTTP"));
    assert_eq!(heard("/pkg/main.go", &[]), "any:4200 HTTP \"4200\"");
}

#[test]
fn ruby_programs() {
    check(
        "app.rb",
        &[
            ("require 'sinatra'\nset :bind, '0.0.0.0'\nset :port, 4100\n", &[], "any:4100 HTTP \"4100\""),
            (
                "require 'sinatra'\nset :port, ENV['PORT'] || 4100\nset :bind, '0.0.0.0'\n",
                &[("PORT", "9100")],
                "any:9100 HTTP \"9100\"",
            ),
            ("require 'sinatra'\nset :port, 4100\n", &[], "localhost:4100 HTTP \"4100\""),
            ("require 'sinatra'\nset :port, 4100\n", &[("RACK_ENV", "production")], "any:4100 HTTP \"4100\""),
            ("require 'webrick'\nWEBrick::HTTPServer.new(Port: 4100).start\n", &[], "any:4100 HTTP \"4100\""),
            ("run MyApp\n", &[], "open: no listen call found in app.rb"),
        ],
    );
}

#[test]
fn rust_programs() {
    check(
        "main.rs",
        &[
            (
                "use axum::Router;\nfn main() { let l = tokio::net::TcpListener::bind(\"0.0.0.0:4100\").await.unwrap(); }",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "use actix_web::App;\nfn main() { HttpServer::new(|| App::new()).bind((\"127.0.0.1\", 4100))?.run().await }",
                &[],
                "127.0.0.1:4100 HTTP \"4100\"",
            ),
            (
                "use axum::Router;\nfn main() { let addr = SocketAddr::from(([0, 0, 0, 0], 4100)); axum::Server::bind(&addr).serve(x); }",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "use axum::Router;\nuse std::env;\nfn main() { let port = env::var(\"PORT\").unwrap_or_else(|_| \"4100\".to_string()); let l = TcpListener::bind(format!(\"0.0.0.0:{port}\")).await; }",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            (
                "use axum::Router;\nfn main() { let port: u16 = std::env::var(\"PORT\").ok().and_then(|p| p.parse().ok()).unwrap_or(4100); let a = SocketAddr::from(([127, 0, 0, 1], port)); TcpListener::bind(a); }",
                &[("PORT", "9100")],
                "127.0.0.1:9100 HTTP \"9100\"",
            ),
            (
                "fn main<'a>() { let c = 'x'; TcpListener::bind(address()) }",
                &[],
                "open: the address of `TcpListener.bind` in main.rs is not plain",
            ),
        ],
    );
}

#[test]
fn csharp_programs() {
    check(
        "Program.cs",
        &[
            (
                "var b = WebApplication.CreateBuilder(args);\nb.WebHost.UseUrls(\"http://*:4100;https://localhost:4101\");",
                &[],
                "any:4100 HTTP \"4100\"\nboth:4101 HTTPS \"4101\"",
            ),
            ("var app = b.Build();\napp.Run(\"http://0.0.0.0:4100\");", &[], "any:4100 HTTP \"4100\""),
            (
                "var port = Environment.GetEnvironmentVariable(\"PORT\") ?? \"4100\";\napp.Run($\"http://0.0.0.0:{port}\");",
                &[],
                "any:4100 HTTP \"4100\"",
            ),
            ("var app = b.Build();\napp.Run();", &[], "open: no listen call found in Program.cs"),
            ("b.WebHost.ConfigureKestrel(o => { o.ListenAnyIP(4100); });", &[], "any:4100 HTTP \"4100\""),
        ],
    );
}
