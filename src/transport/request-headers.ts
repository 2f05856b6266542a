import type { Call } from '../call/call.ts'

/** undici leaves out what is undefined, and takes but does not change arrays; its types say neither. */
type Sendable = Record<string, string | string[]>

/** The header fields of one attempt: the upstream's, over them the call's, over both the listeners', and the deadline's. */
export function requestHeaders(call: Call): Sendable {
  const { headers, deadlineHeader } = call.policy
  // In nearly all calls there is nothing to merge.
  if (call.headers === undefined && call.added === undefined && deadlineHeader === false) return headers as Sendable
  const merged: Record<string, string | readonly string[] | undefined> = { ...headers, ...call.headers, ...call.added }
  if (deadlineHeader !== false) {
    merged[deadlineHeader] = String(Math.max(0, Math.floor(call.deadlineAt - call.at)))
  }
  return merged as Sendable
}
