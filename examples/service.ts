import { createClient } from 'breakwater'
import { createServer, type Server } from 'node:http'

/** A service that shows picks, and bestsellers while the recommender cannot answer. */
export const build = (recommender: string): Server => {
  const client = createClient()
  const server = createServer((_request, response) => {
    client.get(`${recommender}/picks`, { fallback: () => ({ json: ['bestsellers'] }) }).then(
      reply => response.writeHead(200, { 'content-type': 'application/json' }).end(reply.bytes()),
      () => response.writeHead(502).end(),
    )
  })
  // No request is in flight any more, so the client can close its connections.
  return server.on('close', () => void client.close())
}

if (import.meta.main) {
  const server = build('http://localhost:4000').listen(8080)
  // Accepts no new requests, and closes once all others are answered.
  process.once('SIGTERM', () => server.close())
}
