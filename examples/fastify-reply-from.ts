import replyFrom, { type FastifyReplyFromHooks } from '@fastify/reply-from'
import { createClient, toGatewayStatus } from 'breakwater'
import Fastify, { type FastifyInstance } from 'fastify'

/** A service that hands on to payments what it is asked. */
export const build = (payments: string): FastifyInstance => {
  const client = createClient({ upstreams: { payments: { url: payments, deadline: 2_000 } } })
  const app = Fastify()
  // As an object: reply-from brings the types of an older undici, and needs no more of it than its request().
  app.register(replyFrom, { base: payments, undici: client.dispatcher() as object })
  app.all('/*', (_request, reply) => reply.from(undefined, hooks))
  app.addHook('onClose', () => client.close())
  return app
}

const hooks: FastifyReplyFromHooks = {
  // The client retries. reply-from would send a GET that met a 503 up to ten times more, whatever the budget says.
  retryDelay: () => null,
  // reply-from makes a 500 of a refused connection and of an open circuit; their cause is the client's error.
  onError(reply, { error }) {
    const { status, retryAfter } = toGatewayStatus(error.cause)
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
    reply.code(status).send({ error: 'payments is not available' })
  },
}

if (import.meta.main) await build('http://localhost:4000').listen({ port: 8080 })
