import { createServer, type Server } from 'node:http'

/** An upstream to try the other examples on. It answers `{"total":42}`, until it is told to be sick. */
export const upstream = (): Server => {
  let sick = false
  return createServer((request, response) => {
    if (request.method === 'POST') {
      sick = request.url === '/sick'
      response.end()
    } else if (sick) {
      request.socket.resetAndDestroy()
    } else {
      response.setHeader('content-type', 'application/json').end('{"total":42}')
    }
  })
}

if (import.meta.main) {
  upstream().on('request', ({ method, url }) => console.log(method, url)).listen(4000)
}
