import { createClient } from 'breakwater'
import { createServer, type Server } from 'node:http'

/** A service that shows picks, and bestsellers while the recommender can't answer. */
export const build = (recommender: string): Server => {
  const client = createClient()
  const server = createServer((_request, response) => {
    client.get(`${recommender}/picks`, { fallback: () => ({ json: ['bestsellers'] }) }).then(
      reply => response.writeHead(200, { 'content-type': 'application/json' }).end(reply.bytes()),
      () => response.writeHead(502).end(),
    )
  })
  // By now nothing is in flight: its connections may go.
  return server.on('close', () => void client.close())
}

if (import.meta.main) {
  const server = build('http://localhost:4000').listen(8080)
  // Takes no more requests, and ends when those it has are answered.
  process.once('SIGTERM', () => server.close())
}
