"""The servers of the benchmarks: the command line of each, with one worker, and the files that it needs."""

import pathlib
import resource
import shutil

BODY_BYTES = 1024

# `user` counts only when root starts it: the worker must be able to write into the folder.
NGINX = """
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  sendfile off;
  keepalive_requests 100000000;
  open_file_cache max=1000 inactive=60s;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_temp_path {folder}/temp;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=bench:8m max_size=256m use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{origin_port}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache bench;
      proxy_cache_lock on;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
cache bench
  total-max-size 64
  max-object-size 100000
  max-age 3600
frontend front
  bind 127.0.0.1:{port} backlog 1024
  filter cache bench
  http-request cache-use bench
  http-response cache-store bench
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin_port}
"""


# The storms want stale answers where they are allowed, and nothing of the sort below /strict/.
SEAWALL_STORM = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
[admin]
listen = "off"
socket = "off"
[log]
level = "error"
[[origin]]
servers = ["http://127.0.0.1:{origin_port}"]
limit = {{ in_flight = {in_flight}, route_share = "100%", background_share = "{background_percent}%" }}
fill = {{ deadline = "10m", cold_start = "0s" }}
[[route]]
path = "/strict/*"
[[route]]
miss = "{miss}"
stale = {{ while_revalidate = "1h" }}
"""

NGINX_STORM = """
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_temp_path {folder}/temp;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=storm:16m max_size=256m use_temp_path=off;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_connect_timeout 1s;
  proxy_read_timeout 10s;
  proxy_cache storm;
  proxy_cache_lock on;
  upstream origin {{ server 127.0.0.1:{origin_port} {max_conns}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://origin;
      proxy_cache_background_update on;
      proxy_cache_use_stale updating error timeout http_500 http_502 http_503 http_504;
    }}
    location /strict/ {{ proxy_pass http://origin; }}
  }}
}}
"""

VARNISH_STORM = """
vcl 4.1;
backend origin {{
  .host = "127.0.0.1";
  .port = "{origin_port}";
  .connect_timeout = 1s;
  .first_byte_timeout = 10s;
  {max_connections}
}}
sub vcl_backend_response {{
  if (bereq.is_bgfetch && beresp.status >= 500) {{ return (abandon); }}
  set beresp.grace = 1h;
  if (bereq.url ~ "^/strict/") {{ set beresp.grace = 0s; }}
}}
"""

# Those of TLS: sessions are resumed by tickets, as each does by default, and idle connections are kept.
SEAWALL_TLS = """
[server]
listen = ["127.0.0.1:{port} tls"]
workers = 1
connections = 12000
timeout = {{ idle = "10m" }}
[tls]
certificates = ["{certificate}"]
[admin]
listen = "off"
socket = "off"
[log]
level = "error"
[[origin]]
servers = ["http://127.0.0.1:{origin_port}"]
"""

NGINX_TLS = """
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
worker_rlimit_nofile 16384;
events {{ worker_connections 12000; }}
http {{
  access_log off;
  sendfile off;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  open_file_cache max=1000 inactive=60s;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_temp_path {folder}/temp;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=bench:8m max_size=256m use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{origin_port}; keepalive 64; }}
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{port} ssl http2 backlog=4096;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache bench;
      proxy_cache_lock on;
    }}
  }}
}}
"""

HAPROXY_TLS = """
global
  nbthread 1
  maxconn {most_connections}
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout http-keep-alive 600s
  timeout server 60s
cache bench
  total-max-size 64
  max-object-size 400000
  max-age 3600
frontend front
  bind 127.0.0.1:{port} backlog 4096 ssl crt {certificate} alpn h2,http/1.1
  filter cache bench
  http-request cache-use bench
  http-response cache-store bench
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin_port}
"""


def write(folder, name, text):
    path = pathlib.Path(folder, name)
    path.write_text(text)
    return str(path)


def floor(build, folder, port, origin_port):
    return [str(build / "tests/bench/floor"), str(port), str(BODY_BYTES)]


def seawall(build, folder, port, origin_port):
    return [str(build / "seawall"), "serve", "--listen", f"127.0.0.1:{port}", "--origin",
            f"http://127.0.0.1:{origin_port}", "--workers", "1", "--admin", "off", "--log-level", "error"]


def nginx(build, folder, port, origin_port):
    text = NGINX.format(folder=folder, port=port, origin_port=origin_port)
    return ["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", write(folder, "nginx.conf", text)]


def haproxy(build, folder, port, origin_port):
    return ["haproxy", "-db", "-f", write(folder, "haproxy.cfg", HAPROXY.format(port=port, origin_port=origin_port))]


def varnish(build, folder, port, origin_port):
    return ["varnishd", "-F", "-j", "none", "-n", f"{folder}/work", "-T", "none", "-a", f"127.0.0.1:{port}",
            "-b", f"127.0.0.1:{origin_port}", "-s", "malloc,64m", "-p", "thread_pools=1"]


# Those of the storms. `in_flight` is the most that the origin may be asked at once, `background` the share of it for
# what no client waits for; only seawall has that and `miss`.
def seawall_storm(build, folder, port, origin_port, miss="collapse", in_flight=256, background=64):
    text = SEAWALL_STORM.format(port=port, origin_port=origin_port, miss=miss, in_flight=in_flight,
                                background_percent=100 * background // in_flight)
    return [str(build / "seawall"), "serve", "-c", write(folder, "seawall.toml", text)]


def nginx_storm(build, folder, port, origin_port, miss="collapse", in_flight=None, background=None):
    text = NGINX_STORM.format(folder=folder, port=port, origin_port=origin_port,
                              max_conns=f"max_conns={in_flight}" if in_flight else "")
    return ["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", write(folder, "nginx.conf", text)]


def varnish_storm(build, folder, port, origin_port, miss="collapse", in_flight=None, background=None):
    text = VARNISH_STORM.format(origin_port=origin_port,
                                max_connections=f".max_connections = {in_flight};" if in_flight else "")
    return ["varnishd", "-F", "-j", "none", "-n", f"{folder}/work", "-T", "none", "-a", f"127.0.0.1:{port}",
            "-f", write(folder, "storm.vcl", text), "-s", "malloc,256m"]


def most_connections():
    """As many as HAProxy takes with the open files that it may have: it wants two for each."""
    return min(11_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 100)


def seawall_tls(build, folder, port, origin_port, certificate):
    text = SEAWALL_TLS.format(port=port, origin_port=origin_port, certificate=certificate)
    return [str(build / "seawall"), "serve", "-c", write(folder, "seawall.toml", text)]


def nginx_tls(build, folder, port, origin_port, certificate):
    text = NGINX_TLS.format(folder=folder, port=port, origin_port=origin_port, certificate=certificate)
    return ["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", write(folder, "nginx.conf", text)]


def haproxy_tls(build, folder, port, origin_port, certificate):
    text = HAPROXY_TLS.format(port=port, origin_port=origin_port, certificate=certificate,
                              most_connections=most_connections())
    return ["haproxy", "-db", "-f", write(folder, "haproxy.cfg", text)]


# In the order of the tables.
ALL = {"floor": floor, "seawall": seawall, "haproxy": haproxy, "nginx": nginx, "varnish": varnish}
STORM = {"seawall": seawall_storm, "nginx": nginx_storm, "varnish": varnish_storm}
TLS = {"seawall": seawall_tls, "haproxy": haproxy_tls, "nginx": nginx_tls}
PROGRAMS = {"haproxy": "haproxy", "nginx": "nginx", "varnish": "varnishd"}


def is_installed(name):
    return name not in PROGRAMS or shutil.which(PROGRAMS[name]) is not None
