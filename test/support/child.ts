import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Writable } from 'node:stream'

/**
 * Lets a child neither keep this process alive nor outlive it. A shell waits for the end of its input, which comes
 * whatever ends us, a SIGKILL by a test runner too, and then kills the child.
 */
export const tieToUs = (child: ChildProcess): void => {
  const watchdog = spawn('sh', ['-c', `read -r _; kill -9 ${child.pid}`], { stdio: ['pipe', 'ignore', 'ignore'] })
  child.once('exit', () => watchdog.kill('SIGKILL'))
  watchdog.unref()
  const input = watchdog.stdin as Writable & { unref(): void }
  input.on('error', () => {})
  input.unref()
  child.unref()
  child.channel?.unref()
}

/** Whether a child has not ended yet. */
export const running = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

/** Sends a signal to a child and waits until it has ended. */
export const end = async (child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
  if (!running(child)) return
  const ended = once(child, 'exit')
  child.ref()
  child.kill(signal)
  await ended
}

/** Whether somebody accepts connections on a port of 127.0.0.1. */
export const accepts = (port: number): Promise<boolean> => new Promise(resolve => {
  const socket = connect(port, '127.0.0.1')
  socket.once('connect', () => {
    socket.destroy()
    resolve(true)
  })
  socket.once('error', () => resolve(false))
})
