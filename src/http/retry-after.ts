import { httpDate } from './date.ts'

/**
 * Parses a Retry-After header (RFC 9110 §10.2.3): whole seconds, or an HTTP date.
 *
 * @param value - the header as received. @param wallClock - the current time as ms since 1970, for dates.
 * @returns the wait in ms, 0 for a date in the past, or undefined for anything else (`1.5`, `1e1`, `-3`, `soon`).
 */
export function retryAfter(value: string | string[] | undefined, wallClock: () => number): number | undefined {
  if (value === undefined) return undefined
  const text = (Array.isArray(value) ? value[0] ?? '' : value).trim()
  if (/^\d{1,15}$/.test(text)) return Number(text) * 1_000
  const at = httpDate(text)
  return at === undefined ? undefined : Math.max(0, at - wallClock())
}
