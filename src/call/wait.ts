import type { Env } from '../clock.ts'

/**
 * Arms what may end a caller's wait: its time and its own signal. Either disarms the other.
 *
 * @returns what disarms both.
 */
export function armTimeoutAndAbort(
  env: Env, ms: number, signal: AbortSignal | undefined, late: () => void, aborted: (reason: unknown) => void,
): () => void {
  const timer = env.clock.after(Math.max(0, ms), () => {
    disarm()
    late()
  })
  const abort = (): void => {
    disarm()
    aborted(signal?.reason)
  }
  const disarm = (): void => {
    timer.cancel()
    signal?.removeEventListener('abort', abort)
  }
  signal?.addEventListener('abort', abort)
  return disarm
}
