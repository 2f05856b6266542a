import { STATUS_CODES } from 'node:http'

/** The labels that identify a series. */
export type Labels = Readonly<Record<string, string>>

/** The label of all upstreams and endpoints that have no series of their own. */
export const OTHER = 'other'

/** The label of a method; `_OTHER` for an unknown one, as callers may use any. */
export const methodLabel = (method: string, known: readonly string[]): string => (known.includes(method) ? method : '_OTHER')

/** The label of a status; its class for an unregistered one, as upstreams may respond with any number. */
export const statusLabel = (status: number | undefined): string => {
  if (status === undefined) return ''
  return Object.hasOwn(STATUS_CODES, status) ? String(status) : `${Math.floor(status / 100)}xx`
}

/** The label for how a call ended. */
export const outcomeOf = (status: number | undefined, error: string | undefined, attempts: number): string => {
  if (error === 'aborted') return 'aborted'
  if (status !== undefined) return `${Math.floor(status / 100)}xx`
  return attempts === 0 ? 'refused' : 'failed'
}
