import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { listen } from '../server.ts'

/** A port that refuses connections. */
export interface ClosedPort extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Gives the port back to the system. */
  close(): Promise<void>
}

/**
 * Finds a port nobody listens on, and keeps it so: a connection of our own is bound to it, so that no other process is
 * given it, and no client that connects to it over and over is one day handed it as its own source port.
 */
export const closedPort = async (): Promise<ClosedPort> => {
  const probe = createServer()
  const port = await listen(probe)
  const peers: Socket[] = []
  const anchor = createServer(socket => peers.push(socket.on('error', () => {})))
  const anchorPort = await listen(anchor)
  probe.close()
  await once(probe, 'close')
  const holder = connect({ port: anchorPort, host: '127.0.0.1', localPort: port, localAddress: '127.0.0.1' })
  holder.on('error', () => {})
  await once(holder, 'connect')

  let closed: Promise<void> | undefined
  const close = (): Promise<void> => closed ??= new Promise(resolve => {
    anchor.close(() => resolve())
    // A reset leaves neither end in TIME_WAIT.
    holder.resetAndDestroy()
    for (const peer of peers) peer.destroy()
  })
  return { url: `http://127.0.0.1:${port}`, port, close, [Symbol.asyncDispose]: close }
}
