import { OptionError } from '../outcome/errors.ts'
import { TOKEN } from '../http/headers.ts'
import { isRecord, text, type Check } from './checks.ts'
import { kindOf, refuse } from './refuse.ts'

const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/
/** Never says the value itself: it may be a credential. */
const headerValue: Check = (value, where) => {
  if (typeof value !== 'string') throw new OptionError(where, kindOf(value), 'a string')
  if (BAD_VALUE.test(value)) throw new OptionError(where, 'control characters', 'a valid header value')
}
/** A header value that is not empty. */
export const key: Check = (value, where) => {
  headerValue(value, where)
  text(value, where)
}
/** Checks header fields: names are tokens, values hold no line break or other control character. */
export const headerFields: Check = (value, where) => {
  if (!isRecord(value)) throw new OptionError(where, kindOf(value), 'an object of header fields')
  for (const name of Object.keys(value)) {
    if (!TOKEN.test(name)) throw new OptionError(where, 'a name that is none', 'header names of RFC 9110 token characters')
    const given = value[name]
    for (const item of Array.isArray(given) ? given : [given]) {
      if (item === undefined) continue
      headerValue(item, `${where}.${name}`)
    }
  }
}

/** Fields that say where a message goes, where it ends or what its connection is for. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection', 'content-length', 'expect', 'host', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade',
])

/** Checks a header field that a listener adds to an attempt. @throws OptionError */
export function checkAddedHeader(name: string, value: string): void {
  const expected = 'the name of a field that does not frame the message'
  if (typeof name !== 'string' || FRAMING.has(name.toLowerCase())) refuse('setHeader', name, expected)
  headerFields({ [name]: value }, 'setHeader')
}
