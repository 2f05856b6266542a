import { createClient } from 'breakwater'
import { createGateway } from 'breakwater/gateway'
import express from 'express'
import { createServer, type Server } from 'node:http'

/** A gateway in Express: /payments/* and /search/* go to their upstreams; Express answers everything else itself. */
export const build = (payments: string, search: string): Server => {
  const client = createClient({ upstreams: { payments: { url: payments }, search: { url: search, deadline: 500 } } })
  const app = express()
  // Before any body parser: bodies are streamed to the upstream.
  app.use('/payments', createGateway(client, { upstream: 'payments' }))
  app.use('/search', createGateway(client, { upstream: 'search' }))
  app.get('/', (_request, response) => { response.send('a gateway') })
  return createServer(app).on('close', () => void client.close())
}

if (import.meta.main) build('http://localhost:4000', 'http://localhost:4001').listen(8080)
