/** What a gateway's configuration is written from. */
export interface GatewaySetup {
  /** A directory of its own for all that it writes. */
  readonly dir: string
  readonly port: number
  readonly host: string
  /** `host:port` */
  readonly upstream: string
  /** Whether the upstream's host needs no look-up. */
  readonly known: boolean
  readonly connectTimeout: number
  readonly readTimeout: number
  readonly connections: number
}

// With a name nginx cannot look up at start it does not start at all; by way of a variable it looks it up at each
// request, and the discard port answers no question.
const nginxUpstream = ({ upstream, known, connectTimeout }: GatewaySetup): string => known
  ? `proxy_pass http://${upstream};`
  : `resolver 127.0.0.1:9 ipv6=off; resolver_timeout ${connectTimeout}ms; set $up ${upstream}; proxy_pass http://$up;`

/** One foreground process of nginx that keeps all its files in its own directory. */
export const nginxConfig = (setup: GatewaySetup): string => `
daemon off;
master_process off;
pid ${setup.dir}/nginx.pid;
error_log ${setup.dir}/error.log info;
events { worker_connections ${setup.connections}; }
http {
  access_log off;
  client_body_temp_path ${setup.dir}/body;
  proxy_temp_path ${setup.dir}/proxy;
  fastcgi_temp_path ${setup.dir}/fastcgi;
  uwsgi_temp_path ${setup.dir}/uwsgi;
  scgi_temp_path ${setup.dir}/scgi;
  server {
    listen 127.0.0.1:${setup.port};
    location / {
      ${nginxUpstream(setup)}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout ${setup.connectTimeout}ms;
      proxy_send_timeout ${setup.readTimeout}ms;
      proxy_read_timeout ${setup.readTimeout}ms;
    }
  }
}
`

/** One foreground process of HAProxy; it answers 503 for a server it has no address of. */
export const haproxyConfig = (setup: GatewaySetup): string => `
global
  maxconn ${setup.connections}
  log stderr format raw local0
defaults
  mode http
  log global
  option httplog
  retries 0
  timeout connect ${setup.connectTimeout}ms
  timeout server ${setup.readTimeout}ms
  timeout client 10s
  timeout queue ${setup.connectTimeout}ms
listen gateway
  bind 127.0.0.1:${setup.port}
  server upstream ${setup.upstream} ${setup.known ? '' : 'init-addr none'}
`
