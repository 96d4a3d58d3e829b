//! A server to measure with: thousands of sites in front of hundreds of php-fpm pools, as Debian lays them out.

use std::fs;
use std::path::Path;

const SITES: usize = 2_000;
const POOLS: usize = 200;

/// Every file with its path; links are made by [`write`].
fn files() -> Vec<(String, String)> {
    let mut files = vec![
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n"),
        ("etc/group", "root:x:0:\nwww-data:x:33:\n"),
        ("etc/nginx/nginx.conf", "user www-data;\nevents {}\nhttp {\n    include /etc/nginx/sites-enabled/*;\n}\n"),
        ("etc/php/8.2/fpm/php-fpm.conf", "[global]\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n"),
        ("etc/php/8.2/fpm/php.ini", "[PHP]\nmax_execution_time = 30\n"),
        (
            "lib/systemd/system/nginx.service",
            "[Service]\nType=forking\nExecStart=/usr/sbin/nginx -g 'daemon on; master_process on;'\n[Install]\nWantedBy=multi-user.target\n",
        ),
        (
            "lib/systemd/system/php8.2-fpm.service",
            "[Service]\nType=notify\nExecStart=/usr/sbin/php-fpm8.2 --nodaemonize --fpm-config /etc/php/8.2/fpm/php-fpm.conf\n[Install]\nWantedBy=multi-user.target\n",
        ),
    ];
    let mut made: Vec<(String, String)> =
        files.drain(..).map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    for number in 0..SITES {
        let pool = number % POOLS;
        let text = format!(
            "server {{
    listen 80;
    server_name shop{number}.test www.shop{number}.test;
    root /srv/shop{number}/public;
    access_log /var/log/nginx/shop{number}.log;
    location / {{
        try_files $uri $uri/ /index.php?$args;
    }}
    location ~ \\.php$ {{
        fastcgi_pass unix:/run/php/pool{pool}.sock;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_read_timeout {}s;
    }}
    location /basket/ {{
        proxy_pass http://127.0.0.1:{};
        proxy_set_header Host $host;
    }}
}}
",
            60 + number % 60,
            3000 + pool,
        );
        made.push((format!("etc/nginx/sites-available/shop{number}"), text));
    }
    for pool in 0..POOLS {
        let text = format!(
            "[pool{pool}]\nuser = www-data\ngroup = www-data\nlisten = /run/php/pool{pool}.sock\nlisten.owner = www-data\nlisten.group = www-data\npm = dynamic\npm.max_children = 5\n"
        );
        made.push((format!("etc/php/8.2/fpm/pool.d/pool{pool}.conf"), text));
    }
    made
}

/// Leaves the server in a folder.
pub fn write(root: &Path) {
    for (path, text) in files() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root)).expect("a folder that can be written");
        fs::write(path, text).expect("a file that can be written");
    }
    for number in 0..SITES {
        let (says, at) =
            (format!("/etc/nginx/sites-available/shop{number}"), format!("etc/nginx/sites-enabled/shop{number}"));
        link(root, &says, &at);
    }
    for unit in ["nginx", "php8.2-fpm"] {
        let wants = format!("etc/systemd/system/multi-user.target.wants/{unit}.service");
        link(root, &format!("/lib/systemd/system/{unit}.service"), &wants);
    }
}

#[cfg(unix)]
fn link(root: &Path, says: &str, at: &str) {
    let at = root.join(at);
    fs::create_dir_all(at.parent().unwrap_or(root)).expect("a folder that can be written");
    let _ = fs::remove_file(&at);
    std::os::unix::fs::symlink(says, at).expect("a link that can be written");
}

#[cfg(not(unix))]
fn link(_: &Path, _: &str, _: &str) {}
