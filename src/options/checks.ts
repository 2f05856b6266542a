import { OptionError } from '../outcome/errors.ts'
import { TOKEN } from '../http/headers.ts'
import { listed, suggest } from './nearest.ts'
import { isShowable, refuse, refuseSecret } from './refuse.ts'

/** Throws an OptionError that says what was expected, unless the value is valid. */
export type Check = (value: unknown, where: string) => void
/** A check for each key of a group. */
export type Shape = Readonly<Record<string, Check>>
/** A check for each option of an interface: none is missing, and there are no others. */
export type ShapeOf<Options> = Readonly<Record<keyof Options, Check>>

/** A number within bounds. */
export const number = (min: number, max: number, expected: string): Check => (value, where) => {
  if (typeof value !== 'number' || !(value >= min && value <= max)) refuse(where, value, expected)
}
/** A number without a fraction within bounds. */
export const integer = (min: number, max: number, expected = `an integer from ${min} to ${max}`): Check => (value, where) => {
  if (!Number.isInteger(value)) refuse(where, value, expected)
  number(min, max, expected)(value, where)
}
/** A duration that may be infinite. */
export const ms: Check = number(1, Infinity, 'a number of ms (at least 1) or Infinity')
/** A finite duration, not zero. */
export const finiteMs: Check = number(1, 2 ** 31 - 1, 'a number of ms from 1 to 2147483647')
/** A finite duration, or zero. */
export const msOrZero: Check = number(0, 2 ** 31 - 1, 'a number of ms from 0 to 2147483647')
/** An integer, 0 or more. */
export const count: Check = integer(0, Number.MAX_SAFE_INTEGER, 'a non-negative integer')
/** An integer, 1 or more. */
export const positive: Check = integer(1, Number.MAX_SAFE_INTEGER, 'a positive integer')
/** A ratio. */
export const share: Check = number(0, 1, 'a ratio from 0 to 1')
/** A ratio that is not zero. */
export const rate: Check = number(Number.MIN_VALUE, 1, 'a ratio greater than 0 and at most 1')
/** True or false. */
export const boolean: Check = (value, where) => {
  if (typeof value !== 'boolean') refuse(where, value, 'true or false')
}
/** A string that is not empty. */
export const text: Check = (value, where) => {
  if (typeof value !== 'string' || value === '') refuse(where, value, 'a non-empty string')
}
/** A function. */
export const callable: Check = (value, where) => {
  if (typeof value !== 'function') refuse(where, value, 'a function')
}
/** One of several values. */
export const oneOf = (...values: readonly unknown[]): Check => (value, where) => {
  if (!values.includes(value)) refuse(where, value, `one of ${values.join(', ')}`)
}
/** The name of an HTTP method. */
export const methodName: Check = (value, where) => {
  if (typeof value !== 'string' || !TOKEN.test(value)) refuse(where, value, 'an HTTP method name')
}
/** An array whose items each pass a check. */
export const list = (check: Check): Check => (value, where) => {
  if (!Array.isArray(value)) refuse(where, value, 'an array')
  value.forEach((item, index) => check(item, `${where}[${index}]`))
}

/**
 * Whether a value is an object that keeps its content in own properties. A Map, a `Headers` object or a promise does not, and
 * would be read as an empty object.
 */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
  && (Object.keys(value).length > 0 || RECORDS.has(Object.prototype.toString.call(value)))
const RECORDS: ReadonlySet<string> = new Set(['[object Object]', '[object Module]'])

/** An object with any content; its content is not shown. */
export const record: Check = (value, where) => {
  if (!isRecord(value)) refuseSecret(where, value, 'a plain object')
}
/** A group of options, or a boolean that switches it on or off. */
export const group = (checks: Shape, ...switches: readonly boolean[]): Check => {
  const expected = ['a plain object', ...switches].join(', ').replace(/, (?=\w+$)/, ' or ')
  return (value, where) => {
    if (switches.includes(value as boolean)) return
    if (!isRecord(value)) refuse(where, value, expected)
    checkShape(value, checks, where)
  }
}

/** Checks own properties; inherited ones are never read. @throws OptionError for an unknown key, too */
export function checkShape(value: object, checks: Shape, where = ''): void {
  if (!isRecord(value)) refuse(where === '' ? 'options' : where, value, 'a plain object')
  const prefix = where === '' ? '' : `${where}.`
  for (const key of Object.keys(value)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined
    if (check === undefined) refuseUnknown(key, Object.keys(checks), prefix)
    if (value[key] !== undefined) check(value[key], prefix + key)
  }
}

function refuseUnknown(key: string, known: readonly string[], prefix: string): never {
  const option = prefix + (isShowable(key) ? key : '…')
  const hint = suggest(key, known, meant => `\`${prefix}${meant}\``)
  throw new OptionError(option, 'an unknown option', listed(known), `unknown option \`${option}\`: ${hint}`)
}

/** A clock and a source of random numbers. */
export const env: Check = (value, where) => {
  record(value, where)
  // The methods of a clock may be inherited from its class.
  const { clock, random } = value as { clock?: { now?: unknown; after?: unknown }; random?: unknown }
  callable(clock?.now, `${where}.clock.now`)
  callable(clock?.after, `${where}.clock.after`)
  callable(random, `${where}.random`)
}
