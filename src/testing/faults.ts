/*
 * The errors of undici and Node for failures of a real socket, with the same names, codes and messages.
 */

const coded = (message: string, code: string, name = 'Error'): Error => {
  const error = new Error(message)
  if (name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  return Object.assign(error, { code })
}

/** The address in the errors of an upstream, which has none of its own. */
const ADDRESS = '127.0.0.1'

/** No server listens at the address. */
export const connectionRefused = (origin: URL): Error => {
  const port = Number(origin.port || (origin.protocol === 'https:' ? 443 : 80))
  const error = coded(`connect ECONNREFUSED ${ADDRESS}:${port}`, 'ECONNREFUSED')
  return Object.assign(error, { errno: -111, syscall: 'connect', address: ADDRESS, port })
}

/** The host name has no address. */
export const nameNotFound = ({ hostname }: URL): Error =>
  Object.assign(coded(`getaddrinfo ENOTFOUND ${hostname}`, 'ENOTFOUND'), { errno: -3008, syscall: 'getaddrinfo', hostname })

/** The connection was not made in time. */
export const connectTimedOut = (ms: number): Error =>
  coded(`no connection within ${ms} ms`, 'UND_ERR_CONNECT_TIMEOUT', 'ConnectTimeoutError')

/** The other side reset the connection. */
export const connectionReset = (): Error =>
  Object.assign(coded('read ECONNRESET', 'ECONNRESET'), { errno: -104, syscall: 'read' })

/** The other side closed the connection unexpectedly. */
export const otherSideClosed = (): Error => coded('other side closed', 'UND_ERR_SOCKET', 'SocketError')

/** The response is not valid HTTP. */
export const parserError = (): Error => coded(
  'Response does not match the HTTP/1.1 protocol (Expected HTTP/, RTSP/ or ICE/)', 'HPE_INVALID_CONSTANT', 'HTTPParserError',
)

/** The request was aborted without a reason. */
export const requestAborted = (): Error => coded('Request aborted', 'UND_ERR_ABORTED', 'AbortError')

/** The dispatcher is closed and takes no more requests. */
export const clientClosed = (): Error => coded('The client is closed', 'UND_ERR_CLOSED', 'ClientClosedError')

/** The dispatcher was destroyed while the request was in flight. */
export const clientDestroyed = (): Error => coded('The client is destroyed', 'UND_ERR_DESTROYED', 'ClientDestroyedError')
