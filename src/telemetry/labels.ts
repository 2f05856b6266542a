import { STATUS_CODES } from 'node:http'

/** What tells one series from another. */
export type Labels = Readonly<Record<string, string>>

/** The upstream, and the endpoint, that all those are told as which get no series of their own. */
export const OTHER = 'other'

/** A known method, or `_OTHER`: methods are the caller's to invent. */
export const methodLabel = (method: string, known: readonly string[]): string => (known.includes(method) ? method : '_OTHER')

/** A status that is registered, or its class: an upstream may answer with any number. */
export const statusLabel = (status: number | undefined): string => {
  if (status === undefined) return ''
  return Object.hasOwn(STATUS_CODES, status) ? String(status) : `${Math.floor(status / 100)}xx`
}

/** How a call has ended, in few words. */
export const outcomeOf = (status: number | undefined, error: string | undefined, attempts: number): string => {
  if (error === 'aborted') return 'aborted'
  if (status !== undefined) return `${Math.floor(status / 100)}xx`
  return attempts === 0 ? 'refused' : 'failed'
}
