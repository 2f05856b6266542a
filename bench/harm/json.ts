import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Answers with a status and a little JSON that tells it. */
export function json(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  const body = JSON.stringify({ status })
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers })
  response.end(body)
}
