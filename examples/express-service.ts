import { createClient, toGatewayStatus } from 'breakwater'
import express, { type ErrorRequestHandler } from 'express'
import { createServer, type Server } from 'node:http'

/** A service whose handler asks payments, and which says what is the matter when payments can't answer. */
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

/** Express hands on what an async handler rejects with: 502, 504, or 503 with a Retry-After, as the error has it. */
const answer: ErrorRequestHandler = (error, _request, response, _next) => {
  const { status, retryAfter } = toGatewayStatus(error)
  if (retryAfter !== undefined) response.set('retry-after', String(retryAfter))
  response.status(status).json({ error: status === 500 ? 'a fault of our own' : 'payments is not available' })
}

if (import.meta.main) build('http://localhost:4000').listen(8080)
