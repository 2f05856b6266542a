/** Header fields of a request. An undefined value leaves the field out. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>

/** A token (RFC 9110 §5.6.2), such as a field name or a method. */
export const TOKEN: RegExp = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Converts the names of header fields to lower case. */
export const lowerCased = (headers: HeaderFields): HeaderFields =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/**
 * Fields that concern one connection, or the proxy itself, and are not forwarded (RFC 9110 §7.6.1, §11.7; RFC 7540 §3.2.1).
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings',
  'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization',
])
