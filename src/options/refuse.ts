import { OptionError } from '../outcome/errors.ts'

/** Characters of a URL's credentials or query, and characters that would break a log line or a quotation. */
const UNSHOWABLE = /[@?`]|[^ -~]/
const LONGEST = 40

/** Whether a text given by the caller can be shown in an error. */
export const isShowable = (text: string): boolean => text.length <= LONGEST && !UNSHOWABLE.test(text)

/** Describes a value for an error. A short string is shown, unless it could be a URL that contains a secret. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return isShowable(value) ? `'${value}'` : `a string of ${value.length} characters`
  return ['number', 'boolean', 'bigint'].includes(typeof value) ? String(value) : kindOf(value)
}

/** The name of a built-in class, as `Object.prototype.toString` has it. */
const CLASS = /^\[object ([A-Z]\w{0,30})\]$/

/** Describes the kind of a value without showing it: for headers, bodies and keys. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return `a ${typeof value}`
  const name = CLASS.exec(Object.prototype.toString.call(value))?.[1] ?? 'Object'
  if (name === 'Object') return 'an object'
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}${name.endsWith('s') ? ' object' : ''}`
}

/** Throws an {@link OptionError} that says what `where` must be. */
export function refuse(where: string, value: unknown, expected: string): never {
  throw new OptionError(where, describeValue(value), expected)
}

/** The same for a value that must not be shown: only its kind is. */
export function refuseSecret(where: string, value: unknown, expected: string): never {
  throw new OptionError(where, kindOf(value), expected)
}
