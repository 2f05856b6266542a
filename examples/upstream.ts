import { createServer, type Server } from 'node:http'

/** An upstream for trying the other examples. It answers `{"total":42}`; after a POST to /fail it resets connections. */
export const upstream = (): Server => {
  let failing = false
  return createServer((request, response) => {
    if (request.method === 'POST') {
      failing = request.url === '/fail'
      response.end()
    } else if (failing) {
      request.socket.resetAndDestroy()
    } else {
      response.setHeader('content-type', 'application/json').end('{"total":42}')
    }
  })
}

if (import.meta.main) {
  upstream().on('request', ({ method, url }) => console.log(method, url)).listen(4000)
}
