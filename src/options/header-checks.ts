import { OptionError } from '../outcome/errors.ts'
import { TOKEN } from '../http/headers.ts'
import { isRecord, text, type Check } from './checks.ts'
import { refuse, refuseSecret } from './refuse.ts'

const CONTROL = /[^\t\x20-\x7e\x80-\uffff]/
const BEYOND_LATIN1 = /[^\x00-\xff]/

/** The value is never shown: it may be a credential. */
const headerValue: Check = (value, where) => {
  if (typeof value !== 'string') refuseSecret(where, value, 'a string')
  if (CONTROL.test(value)) {
    const sentence = `\`${where}\` contains control characters, which are not allowed in a header field`
    throw new OptionError(where, 'a string with control characters', 'a string without control characters', sentence)
  }
  if (BEYOND_LATIN1.test(value)) {
    const sentence = `\`${where}\` contains characters that a header field cannot carry (outside ISO-8859-1): encode them, `
      + 'e.g. with encodeURIComponent()'
    throw new OptionError(where, 'a string with characters outside ISO-8859-1', 'a string of ISO-8859-1 characters', sentence)
  }
}

/** A header value that is not empty. */
export const filledHeaderValue: Check = (value, where) => {
  headerValue(value, where)
  text(value, where)
}

/** The name of a field that carries something of ours, or false for none. */
export const headerName: Check = (value, where) => {
  if (value === false) return
  if (!isToken(value)) refuse(where, value, 'a header name or false')
  if (FRAMING.has(String(value).toLowerCase())) refuse(where, value, 'the name of a field that does not frame the message')
}

/** Checks header fields: names are tokens, values hold no line break or other control character. */
export const headerFields: Check = (value, where) => {
  if (!isRecord(value)) refuseSecret(where, value, 'a plain object of header fields')
  for (const name of Object.keys(value)) {
    if (!isToken(name)) {
      const sentence = `\`${where}\` contains an invalid header name: a name is a token (RFC 9110), without spaces or separators`
      throw new OptionError(where, 'an invalid header name', 'an object whose keys are header names', sentence)
    }
    headerValues(value[name], `${where}.${name}`)
  }
}

const headerValues: Check = (value, where) => {
  for (const item of Array.isArray(value) ? value : [value]) if (item !== undefined) headerValue(item, where)
}

const isToken = (value: unknown): boolean => typeof value === 'string' && TOKEN.test(value)

/** Fields that frame a message, route it or concern its connection. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection', 'content-length', 'expect', 'host', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade',
])

/** Checks a header field that a listener adds to an attempt. @throws OptionError */
export function checkAddedHeader(name: string, value: string): void {
  if (!isToken(name)) refuse('setHeader() name', name, 'a header name')
  if (FRAMING.has(name.toLowerCase())) {
    const sentence = `setHeader() cannot set '${name}', which frames the message or concerns its connection`
    throw new OptionError('setHeader() name', `'${name}'`, 'a field that does not frame the message', sentence)
  }
  headerValues(value, `setHeader('${name}')`)
}
