"""The servers of the benchmarks: the command line of each, with one worker, and the files that it needs."""

import pathlib
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


def write(folder, name, text):
    path = pathlib.Path(folder, name)
    path.write_text(text)
    return str(path)


def floor(build, folder, port, origin_port):
    return [str(build / "tests/bench/floor"), str(port), str(BODY_BYTES)]


def seawall(build, folder, port, origin_port):
    return [str(build / "seawall"), "serve", "--listen", f"127.0.0.1:{port}", "--origin",
            f"http://127.0.0.1:{origin_port}", "--workers", "1", "--log-level", "error"]


def nginx(build, folder, port, origin_port):
    text = NGINX.format(folder=folder, port=port, origin_port=origin_port)
    return ["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", write(folder, "nginx.conf", text)]


def haproxy(build, folder, port, origin_port):
    return ["haproxy", "-db", "-f", write(folder, "haproxy.cfg", HAPROXY.format(port=port, origin_port=origin_port))]


def varnish(build, folder, port, origin_port):
    return ["varnishd", "-F", "-j", "none", "-n", f"{folder}/work", "-T", "none", "-a", f"127.0.0.1:{port}",
            "-b", f"127.0.0.1:{origin_port}", "-s", "malloc,64m", "-p", "thread_pools=1"]


# In the order of the tables.
ALL = {"floor": floor, "seawall": seawall, "haproxy": haproxy, "nginx": nginx, "varnish": varnish}
PROGRAMS = {"haproxy": "haproxy", "nginx": "nginx", "varnish": "varnishd"}


def is_installed(name):
    return name not in PROGRAMS or shutil.which(PROGRAMS[name]) is not None
