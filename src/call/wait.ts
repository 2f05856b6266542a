import type { Clock } from '../clock.ts'

/**
 * Arms a timeout and listens to an abort signal; whichever comes first disarms the other and runs `stop`, with the reason of
 * an abort.
 *
 * @returns a function that disarms both.
 */
export function armTimeoutAndAbort(
  clock: Clock, ms: number, signal: AbortSignal | undefined, stop: (timedOut: boolean, reason?: unknown) => void,
): () => void {
  const timer = clock.after(Math.max(0, ms), () => {
    disarm()
    stop(true)
  })
  const abort = (): void => {
    disarm()
    stop(false, signal?.reason)
  }
  const disarm = (): void => {
    timer.cancel()
    signal?.removeEventListener('abort', abort)
  }
  signal?.addEventListener('abort', abort)
  return disarm
}
