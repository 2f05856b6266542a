/*
 * The errors that undici and Node give for what can go wrong on a real socket: the same names, codes and messages.
 */

const coded = (message: string, code: string, name = 'Error'): Error => {
  const error = new Error(message)
  if (name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  return Object.assign(error, { code })
}

/** Where an upstream that has no real address pretends to be. */
const ADDRESS = '127.0.0.1'

/** Nobody listens there. */
export const connectionRefused = (origin: URL): Error => {
  const port = Number(origin.port || (origin.protocol === 'https:' ? 443 : 80))
  const error = coded(`connect ECONNREFUSED ${ADDRESS}:${port}`, 'ECONNREFUSED')
  return Object.assign(error, { errno: -111, syscall: 'connect', address: ADDRESS, port })
}

/** Its name has no address. */
export const nameNotFound = ({ hostname }: URL): Error =>
  Object.assign(coded(`getaddrinfo ENOTFOUND ${hostname}`, 'ENOTFOUND'), { errno: -3008, syscall: 'getaddrinfo', hostname })

/** Nothing answered the request for a connection. */
export const connectTimedOut = (ms: number): Error =>
  coded(`no connection within ${ms} ms`, 'UND_ERR_CONNECT_TIMEOUT', 'ConnectTimeoutError')

/** The other side reset the connection. */
export const connectionReset = (): Error =>
  Object.assign(coded('read ECONNRESET', 'ECONNRESET'), { errno: -104, syscall: 'read' })

/** The other side ended the connection where it should not have. */
export const otherSideClosed = (): Error => coded('other side closed', 'UND_ERR_SOCKET', 'SocketError')

/** What came is no HTTP. */
export const parserError = (): Error => coded(
  'Response does not match the HTTP/1.1 protocol (Expected HTTP/, RTSP/ or ICE/)', 'HPE_INVALID_CONSTANT', 'HTTPParserError',
)

/** The request was given up without a reason. */
export const requestAborted = (): Error => coded('Request aborted', 'UND_ERR_ABORTED', 'AbortError')

/** The dispatcher takes no more requests. */
export const clientClosed = (): Error => coded('The client is closed', 'UND_ERR_CLOSED', 'ClientClosedError')

/** The dispatcher was destroyed with the request in flight. */
export const clientDestroyed = (): Error => coded('The client is destroyed', 'UND_ERR_DESTROYED', 'ClientDestroyedError')
