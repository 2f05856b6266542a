import { Agent, createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createGateway } from '../../src/gateway/index.ts'
import { createClient, type UpstreamOptions } from '../../src/index.ts'
import { load } from '../contenders/contender.ts'
import { json } from './json.ts'

/** Nothing listens there. */
export const CLOSED = 'http://127.0.0.1:1'

/** A gateway with the library's defaults, but for what is given; nothing listens where it sends `/orders`. */
function gateway(origin: string, options: UpstreamOptions = {}): Server {
  const client = createClient({ upstreams: { origin: { url: origin, ...options }, orders: { url: CLOSED, ...options } } })
  return createServer(createGateway(client, { upstream: ({ url }) => (url === '/orders' ? 'orders' : 'origin') }))
}

interface HttpProxy {
  createProxyServer(options: object): {
    on(event: 'error', listener: (error: Error, request: IncomingMessage, response: ServerResponse) => void): unknown
    web(request: IncomingMessage, response: ServerResponse): void
  }
}

/** http-proxy as its documentation has it, with the handler of errors that it asks for. */
async function httpProxy(target: string): Promise<Server> {
  const { createProxyServer } = await load<HttpProxy>('http-proxy-3')
  const proxy = createProxyServer({ target })
  proxy.on('error', (_error, _request, response) => {
    if (response.headersSent) response.destroy()
    else json(response, 502)
  })
  return createServer((request, response) => { proxy.web(request, response) })
}

type Parser = (request: unknown, body: unknown, done: (error: null, body: unknown) => void) => void

interface App {
  readonly server: Server
  register(plugin: unknown, options: object): unknown
  removeAllContentTypeParsers(): void
  addContentTypeParser(type: string, parser: Parser): void
  all(path: string, handler: (request: unknown, reply: { from(): void }) => void): void
  ready(): Promise<unknown>
}

/** reply-from as it comes; bodies are streamed as its own http-proxy does it. */
async function replyFrom(base: string): Promise<Server> {
  const [{ default: fastify }, { default: plugin }] = await Promise.all([
    load<{ default: () => App }>('fastify'), load<{ default: unknown }>('@fastify/reply-from'),
  ])
  const app = fastify()
  app.register(plugin, { base })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, body, done) => { done(null, body) })
  app.all('/*', (_request, reply) => { reply.from() })
  await app.ready()
  return app.server
}

/** What Varnish 7.1 says by default for a backend that does not answer; a test holds it against a real one. */
const GURU = `<!DOCTYPE html>
<html>
  <head>
    <title>503 Backend fetch failed</title>
  </head>
  <body>
    <h1>Error 503 Backend fetch failed</h1>
    <p>Backend fetch failed</p>
    <h3>Guru Meditation:</h3>
    <p>XID: 6</p>
    <hr>
    <p>Varnish cache server</p>
  </body>
</html>
`

function backendFailed(response: ServerResponse): void {
  response.writeHead(503, 'Backend fetch failed', {
    'Server': 'Varnish', 'Content-Type': 'text/html; charset=utf-8', 'Retry-After': '5', 'X-Varnish': '5', 'Age': '0',
    'Via': '1.1 varnish (Varnish/7.1)', 'Content-Length': GURU.length,
  })
  response.end(GURU)
}

/** In place of Varnish: a plain proxy, but for its answer where the backend of `/orders` is down. */
function varnishBytes(origin: string): Server {
  const agent = new Agent({ keepAlive: true })
  return createServer(({ url = '' }, response) => {
    if (url === '/orders') backendFailed(response)
    else {
      get(origin + url, { agent }, answer => { answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)) })
        .on('error', () => { response.destroy() })
    }
  })
}

/** What may stand before the origin and is made of JavaScript, by name. */
export const FRONTS = {
  'breakwater': (origin: string) => gateway(origin),
  // With limit: false alone there would be no more connections than the limit's maximum.
  'breakwater, no limits': (origin: string) => gateway(origin, { limit: false, pool: { connections: 10_000 } }),
  'http-proxy-3': httpProxy,
  '@fastify/reply-from': replyFrom,
  'own gateway': (origin: string) => gateway(origin),
  'varnish bytes': varnishBytes,
} satisfies Readonly<Record<string, (origin: string) => Server | Promise<Server>>>

/** One of {@link FRONTS}, or a program. */
export type FrontName = keyof typeof FRONTS | 'varnish' | 'nginx'
