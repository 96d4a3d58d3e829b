//! Texts to measure with: made up, alike every time, as long as they are asked for.

use std::fmt::Write as _;

const TRADES: [&str; 12] = [
    "bakery", "bindery", "brewery", "cooper", "dyer", "florist", "glazier", "joiner", "mason", "potter", "saddler",
    "weaver",
];

/// A small generator of numbers (xorshift); the same seed gives the same input on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

/// The name of the service with this number.
pub fn name(number: usize) -> String {
    format!("{}-{number}", TRADES[number % TRADES.len()])
}

/// The port on which the service with this number listens.
pub fn port(number: usize) -> usize {
    3000 + number % 5000
}

/// One site of about 2 KB, in front of the service with this number.
pub fn site(number: usize) -> String {
    let mut dice = Dice::new(number as u64);
    let (name, port) = (name(number), port(number));
    let mut text = format!(
        "# {name}: orders, accounts and the pages around them
upstream {name} {{
    server {name}:{port} max_fails=3 fail_timeout={}s;
    keepalive {};{}
}}

server {{
    listen 80;
    server_name {name}.test www.{name}.test \"~^(?<shop>[a-z]+)\\.{name}\\.test$\";
    root /srv/{name}/public;
    access_log /var/log/nginx/{name}.log combined;
    client_max_body_size {}m;

    location / {{
        try_files $uri $uri/ @app;
    }}

    location @app {{
        proxy_pass http://{name};
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
",
        5 + dice.roll(30),
        4 + dice.roll(60),
        // One site in seven keeps connections for longer than its backend does, and is told so.
        if number.is_multiple_of(7) { "" } else { "\n    keepalive_timeout 4s;" },
        1 + dice.roll(50),
    );
    for place in ["orders", "accounts", "search", "stock"] {
        let _ = write!(
            text,
            "
    location /{place}/ {{
        proxy_pass http://{name}/{place}/v{}/;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr; # the one that counts for limits
        proxy_read_timeout {}s;
        if ($request_method = OPTIONS) {{
            return 204;
        }}
    }}
",
            1 + dice.roll(4),
            20 + dice.roll(100),
        );
    }
    text.push_str("\n    location ~* \\.(?:css|js|png|svg|woff2)$ {\n        expires 30d;\n        add_header Cache-Control 'public, immutable';\n    }\n}\n\n");
    text
}

/// The sites with these numbers.
pub fn sites(numbers: std::ops::Range<usize>) -> String {
    numbers.map(site).collect()
}

/// One service of a compose file, about 900 bytes.
pub fn service(number: usize) -> String {
    let mut dice = Dice::new(number as u64);
    let (name, port) = (name(number), port(number));
    format!(
        "  {name}:
    image: node:22-alpine
    working_dir: /srv/{name}
    command: [\"npx\", \"serve\", \"--listen\", \"tcp://0.0.0.0:{port}\"]
    restart: unless-stopped
    environment:
      <<: *common
      SHOP_NAME: \"{name}\"
      PORT: \"{port}\"
      WORKERS: {}
      DATABASE_URL: postgres://app:${{DB_PASSWORD:-secret}}@database:5432/{name}
    expose:
      - \"{port}\"
    volumes:
      - type: volume
        source: uploads
        target: /srv/{name}/uploads
      - code:/srv/{name}:ro # filled by whoever deploys
    healthcheck:
      test: [\"CMD-SHELL\", \"wget -q -O - http://127.0.0.1:{port}/ || exit 1\"]
      interval: {}s
      timeout: 3s
      retries: {}
    depends_on:
      database:
        condition: service_healthy
    networks: [inside]
",
        1 + dice.roll(8),
        5 + dice.roll(20),
        2 + dice.roll(4),
    )
}

/// A whole compose file: a proxy that mounts `sites` (names of files), a database and the services with these numbers.
pub fn compose(numbers: std::ops::Range<usize>, sites: &[String]) -> String {
    let mounts: String =
        sites.iter().map(|site| format!("      - ./nginx/{site}:/etc/nginx/conf.d/{site}:ro\n")).collect();
    let backends: String = numbers.clone().map(|number| format!("      - {}\n", name(number))).collect();
    let services: String = numbers.map(service).collect();
    format!(
        "x-common: &common
  TZ: Europe/Vienna
  LOG_LEVEL: info

services:
  gateway:
    image: nginx:1.28-alpine
    restart: unless-stopped
    ports:
      - \"8080:80\"
    volumes:
{mounts}    depends_on:
{backends}    networks: [inside]
  database:
    image: postgres:17-alpine
    restart: unless-stopped
    environment:
      POSTGRES_PASSWORD: ${{DB_PASSWORD:-secret}}
    healthcheck:
      test: [\"CMD\", \"pg_isready\"]
      interval: 5s
    networks: [inside]
{services}
networks:
  inside: {{}}

volumes:
  code: {{}}
  uploads: {{}}
"
    )
}

/// A tree of 80 stacks, half of them with three services and half with six: 80 compose files and 120 nginx files, with
/// their paths.
pub fn tree() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for stack in 0..80 {
        let folder = format!("stacks/{}", name(stack));
        let start = stack / 2 * 9 + stack % 2 * 3;
        let parts: Vec<_> = (0..1 + stack % 2).map(|part| start + 3 * part..start + 3 * part + 3).collect();
        let numbers = start..start + 3 * parts.len();
        let mut names = Vec::new();
        for (number, part) in parts.into_iter().enumerate() {
            let site = format!("sites-{number}.conf");
            files.push((format!("{folder}/nginx/{site}"), sites(part)));
            names.push(site);
        }
        files.push((format!("{folder}/compose.yaml"), compose(numbers, &names)));
    }
    files
}
