import { OptionError } from '../outcome/errors.ts'

/** What a URL's credentials or query would show by, and what would break a line of a log. */
const UNSHOWABLE = /[@?]|[^ -~]/

/** Describes a value for an error: a short one as it is, unless it could be a URL with something secret in it. */
export function describe(value: unknown): string {
  if (typeof value !== 'string') return isPrintable(value) ? String(value) : kindOf(value)
  return value.length > 40 || UNSHOWABLE.test(value) ? `a string of ${value.length} characters` : `'${value}'`
}

const isPrintable = (value: unknown): boolean =>
  value === null || ['number', 'boolean', 'undefined', 'bigint'].includes(typeof value)

/** Describes what kind of a value it is and no more: for headers, bodies and keys. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** Throws an {@link OptionError}. */
export function refuse(where: string, value: unknown, expected: string): never {
  throw new OptionError(where, describe(value), expected)
}
