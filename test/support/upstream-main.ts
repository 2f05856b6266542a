import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How an upstream in a process of its own answers. */
export type Manner =
  /** 200 and JSON at once. */
  | { is: 'well' }
  /** 200 and JSON after so many milliseconds of real time. */
  | { is: 'slow'; ms: number }
  /** Reads requests and never answers. */
  | { is: 'hung' }
  /** Another status. */
  | { is: 'failing'; status: number }
  /** Exits at the next request, having sent half of its reply. */
  | { is: 'about to crash' }

/** What the test tells the process. */
export type Order = { id: number } & ({ be: Manner } | { tell: 'hits' } | { crash: number })

/** What the process tells the test. */
export type Word = { listening: number } | { failed: string } | { done: number; hits: number }

const tell = (word: Word, then?: () => void): void => void process.send?.(word, undefined, undefined, then)

const body = JSON.stringify({ pid: process.pid })

const answer = (manner: Manner, response: ServerResponse): void => {
  const headers = { 'content-type': 'application/json', 'content-length': body.length }
  switch (manner.is) {
    case 'well': return void response.writeHead(200, headers).end(body)
    case 'slow': return void setTimeout(() => response.writeHead(200, headers).end(body), manner.ms)
    case 'failing': return void response.writeHead(manner.status, headers).end(body)
    case 'about to crash': return void response.writeHead(200, headers).write(body.slice(0, 4), () => process.exit(1))
    case 'hung':
  }
}

const serve = (port: number): void => {
  let manner: Manner = { is: 'well' }
  let hits = 0
  const server = createServer((request, response) => {
    hits++
    request.resume()
    answer(manner, response)
  })
  server.once('error', error => tell({ failed: error.message }, () => process.exit(1)))
  server.listen(port, '127.0.0.1', () => tell({ listening: (server.address() as AddressInfo).port }))
  process.on('message', (order: Order) => {
    if ('be' in order) manner = order.be
    if ('crash' in order) process.exit(order.crash)
    tell({ done: order.id, hits })
  })
  // The test has gone: nothing is left to serve.
  process.once('disconnect', () => process.exit(0))
}

// Only as a child: a test runner that opens every file finds nothing to run here.
if (process.send !== undefined && process.argv[2] !== undefined) serve(Number(process.argv[2]))
