import httpProxy, { type FastifyHttpProxyOptions } from '@fastify/http-proxy'
import { createClient, toGatewayStatus } from 'breakwater'
import Fastify, { type FastifyInstance } from 'fastify'

/** A service that proxies /payments/* to one upstream and /search/* to another. A bad minute of one is not the other's. */
export const build = (payments: string, search: string): FastifyInstance => {
  const client = createClient({ upstreams: { payments: { url: payments }, search: { url: search, deadline: 500 } } })
  // One for all routes: the origin says which upstream it is. As an object, since the types are those of an older undici.
  const undici = client.dispatcher() as object
  const app = Fastify()
  app.register(httpProxy, { prefix: '/payments', upstream: payments, undici, replyOptions })
  app.register(httpProxy, { prefix: '/search', upstream: search, undici, replyOptions })
  app.addHook('onClose', () => client.close())
  return app
}

const replyOptions: NonNullable<FastifyHttpProxyOptions['replyOptions']> = {
  // The client retries. The proxy would send a GET that met a 503 up to ten times more, whatever the budget says.
  retryDelay: () => null,
  // The proxy makes a 500 of a refused connection and of an open circuit; their cause is the client's error.
  onError(reply, { error }) {
    const { status, retryAfter } = toGatewayStatus(error.cause)
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
    reply.code(status).send({ error: 'the upstream is not available' })
  },
}

if (import.meta.main) await build('http://localhost:4000', 'http://localhost:4001').listen({ port: 8080 })
