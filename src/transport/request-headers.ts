import type { Call } from '../call/call.ts'

/** Header fields for undici, which skips undefined values and does not change arrays; its types say neither. */
type Sendable = Record<string, string | string[]>

/**
 * The header fields of one attempt, in rising precedence: the upstream's, the call's, those added by event listeners, and the
 * deadline header.
 */
export function requestHeaders(call: Call): Sendable {
  const { headers, deadlineHeader } = call.policy
  // Nearly all calls have nothing to merge.
  if (call.headers === undefined && call.added === undefined && deadlineHeader === false) return headers as Sendable
  const merged: Record<string, string | readonly string[] | undefined> = { ...headers, ...call.headers, ...call.added }
  if (deadlineHeader !== false) {
    merged[deadlineHeader.toLowerCase()] = String(Math.max(0, Math.floor(call.deadlineAt - call.at)))
  }
  return merged as Sendable
}
