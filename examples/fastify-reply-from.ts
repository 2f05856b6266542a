import replyFrom, { type FastifyReplyFromHooks } from '@fastify/reply-from'
import { createClient, toGatewayStatus } from 'breakwater'
import Fastify, { type FastifyInstance } from 'fastify'

/** A service that forwards its requests to payments. */
export const build = (payments: string): FastifyInstance => {
  const client = createClient({ upstreams: { payments: { url: payments, deadline: 2_000 } } })
  const app = Fastify()
  // Typed as an object, because reply-from has an older undici's types. All it needs of the dispatcher is its request().
  app.register(replyFrom, { base: payments, undici: client.dispatcher() as object })
  app.all('/*', (_request, reply) => reply.from(undefined, hooks))
  app.addHook('onClose', () => client.close())
  return app
}

const hooks: FastifyReplyFromHooks = {
  // The client retries, within its budget. reply-from would send a GET that got a 503 up to ten times more.
  retryDelay: () => null,
  // reply-from answers 500 for a refused connection and for an open circuit. The cause is the client's error.
  onError(reply, { error }) {
    const { status, retryAfter } = toGatewayStatus(error.cause)
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
    reply.code(status).send({ error: 'payments is not available' })
  },
}

if (import.meta.main) await build('http://localhost:4000').listen({ port: 8080 })
