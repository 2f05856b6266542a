import { createClient, toGatewayStatus } from 'breakwater'
import express, { type ErrorRequestHandler } from 'express'
import { createServer, type Server } from 'node:http'

/** A service whose handler calls payments, and which answers with a matching status if that fails. */
export const build = (payments: string): Server => {
  const client = createClient({ upstreams: { payments: { url: payments, deadline: 2_000 } } })
  const app = express()
  app.get('/invoices/:id', async ({ params: { id } }, response) => {
    const { total } = await client.upstream('payments').get(`/invoices/${encodeURIComponent(id)}`).json<{ total: number }>()
    response.json({ id, total })
  })
  app.use(answer)
  return createServer(app).on('close', () => void client.close())
}

/** Express passes it what an async handler rejects with. It answers 502, 504, or 503 with a Retry-After, by the error. */
const answer: ErrorRequestHandler = (error, _request, response, _next) => {
  const { status, retryAfter } = toGatewayStatus(error)
  if (retryAfter !== undefined) response.set('retry-after', String(retryAfter))
  response.status(status).json({ error: status === 500 ? 'internal error' : 'payments is not available' })
}

if (import.meta.main) build('http://localhost:4000').listen(8080)
