import httpProxy, { type FastifyHttpProxyOptions } from '@fastify/http-proxy'
import { createClient, toGatewayStatus } from 'breakwater'
import Fastify, { type FastifyInstance } from 'fastify'

/** A service that proxies /payments/* to one upstream and /search/* to another. A failure of one does not affect the other. */
export const build = (payments: string, search: string): FastifyInstance => {
  const client = createClient({ upstreams: { payments: { url: payments }, search: { url: search, deadline: 500 } } })
  // One dispatcher for all routes: the origin selects the upstream. An object, because the proxy has an older undici's types.
  const undici = client.dispatcher() as object
  const app = Fastify()
  app.register(httpProxy, { prefix: '/payments', upstream: payments, undici, replyOptions })
  app.register(httpProxy, { prefix: '/search', upstream: search, undici, replyOptions })
  app.addHook('onClose', () => client.close())
  return app
}

const replyOptions: NonNullable<FastifyHttpProxyOptions['replyOptions']> = {
  // The client retries, within its budget. The proxy would send a GET that got a 503 up to ten times more.
  retryDelay: () => null,
  // The proxy answers 500 for a refused connection and for an open circuit. The cause is the client's error.
  onError(reply, { error }) {
    const { status, retryAfter } = toGatewayStatus(error.cause)
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
    reply.code(status).send({ error: 'the upstream is not available' })
  },
}

if (import.meta.main) await build('http://localhost:4000', 'http://localhost:4001').listen({ port: 8080 })
