// The servers that the suite is run against. Each entry says how to start one on a port, in front of an origin,
// with a folder for its files; it is skipped when its program is not installed.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

function write (folder, name, text) {
  const file = path.join(folder, name)
  fs.writeFileSync(file, text)
  return file
}

// A certificate for 127.0.0.1 that signs itself: a client that believes in it believes in nothing else.
export function makeCertificate (folder) {
  const file = path.join(folder, 'certificate.pem')
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', file, '-out', `${file}.part`],
  { stdio: ['ignore', 'ignore', 'pipe'] })
  fs.appendFileSync(file, fs.readFileSync(`${file}.part`))
  return file
}

// `transport` is one of those of transports.mjs.
export function seawall (binary, config, transport) {
  const isSecure = transport !== 'http1'
  return {
    name: transport === 'http1' ? 'seawall' : `seawall/${transport}`,
    program: binary,
    transport,
    command: ({ port, originPort, folder, certificate }) => {
      const text = config ? fs.readFileSync(config, 'utf8') : ''
      const tls = isSecure ? `\n[tls]\ncertificates = ["${certificate}"]\n` : ''
      return [binary, 'serve', '-c', write(folder, 'seawall.toml', text + tls),
        '--listen', `127.0.0.1:${port}${isSecure ? ' tls' : ''}`, '--origin', `http://127.0.0.1:${originPort}`,
        '--log-level', 'error']
    }
  }
}

const nginx = {
  name: 'nginx',
  program: 'nginx',
  command: ({ port, originPort, folder }) => ['nginx', '-p', folder, '-e', path.join(folder, 'error.log'), '-c',
    write(folder, 'nginx.conf', `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  proxy_temp_path ${folder}/temp;
  proxy_cache_path ${folder}/cache levels=1:2 keys_zone=suite:8m max_size=100m inactive=10m use_temp_path=off;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${originPort};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache suite;
      proxy_cache_revalidate on;
      proxy_cache_background_update on;
      proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
      add_header X-Cache-Status $upstream_cache_status;
    }
  }
}
`)]
}

const varnish = {
  name: 'varnish',
  program: 'varnishd',
  command: ({ port, originPort, folder }) => ['varnishd', '-F', '-j', 'none', '-n', path.join(folder, 'work'), '-T', 'none',
    '-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${originPort}`, '-s', 'malloc,64m']
}

const haproxy = {
  name: 'haproxy',
  program: 'haproxy',
  command: ({ port, originPort, folder }) => ['haproxy', '-db', '-f', write(folder, 'haproxy.cfg', `
global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
cache suite
  total-max-size 64
  max-object-size 1000000
  max-age 86400
  process-vary on
frontend front
  bind 127.0.0.1:${port}
  filter cache suite
  http-request cache-use suite
  http-response cache-store suite
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`)]
}

export const peers = [nginx, varnish, haproxy]
