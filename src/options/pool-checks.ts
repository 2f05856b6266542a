import { OptionError } from '../outcome/errors.ts'
import {
  boolean, callable, checkShape, count, finiteMs, group, isRecord, oneOf, positive, record, text, type Check, type ShapeOf,
} from './checks.ts'
import type { ConnectionTls, PoolOptions } from './pool-options.ts'
import { refuseSecret } from './refuse.ts'

const isBytes = (value: unknown): boolean => ArrayBuffer.isView(value)

/** One value or several; none is shown. */
const each = (fits: (value: unknown) => boolean, expected: string): Check => (value, where) => {
  for (const item of Array.isArray(value) ? value : [value]) if (!fits(item)) refuseSecret(where, item, expected)
}
const isPem = (value: unknown): boolean => isBytes(value) || (typeof value === 'string' && value.includes('-----BEGIN'))
const PEM = 'PEM text (-----BEGIN …) or bytes; a path is not read'
const pem = each(isPem, PEM)
const pemKey = each(value => isPem(value) || (isRecord(value) && isPem(value.pem)), PEM)
const pfx = each(value => isBytes(value) || (isRecord(value) && (isBytes(value.buf) || typeof value.buf === 'string')),
  'the bytes of a PKCS#12 file; a path is not read')
const secret: Check = (value, where) => {
  if (typeof value !== 'string') refuseSecret(where, value, 'a string')
}
const bytes: Check = (value, where) => {
  if (!isBytes(value)) refuseSecret(where, value, 'bytes')
}
const object: Check = (value, where) => {
  if (typeof value !== 'object' || value === null) refuseSecret(where, value, 'what tls.createSecureContext() returns')
}
const version = oneOf('TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1')

const TLS: ShapeOf<ConnectionTls> = {
  ca: pem, cert: pem, key: pemKey, crl: pem, pfx, passphrase: secret, servername: text, rejectUnauthorized: boolean,
  minVersion: version, maxVersion: version, ciphers: text, sigalgs: text, ecdhCurve: text, secureProtocol: text,
  secureOptions: count, secureContext: object, session: bytes, allowPartialTrustChain: boolean, checkServerIdentity: callable,
  minDHSize: positive, clientCertEngine: text, privateKeyEngine: text, privateKeyIdentifier: text, enableTrace: boolean,
  lookup: callable, keepAlive: boolean, keepAliveInitialDelay: count, noDelay: boolean, highWaterMark: positive,
}
const POOL: ShapeOf<PoolOptions> = {
  connections: positive, connectTimeout: finiteMs, idleTimeout: finiteMs, maxIdleTimeout: finiteMs, maxAge: finiteMs,
  http2: boolean, socketPath: text, factory: callable,
  tls: (value, where) => {
    record(value, where)
    checkShape(value as object, TLS, where)
  },
}
/** Options that the dispatcher of a factory does not get. */
const CONNECTION = ['tls', 'socketPath'] as const

/** Checks the options of the connections, and that none is given beside a factory that would ignore it. */
export const pool: Check = (value, where) => {
  group(POOL)(value, where)
  const given = value as PoolOptions
  if (!Object.hasOwn(given, 'factory') || given.factory === undefined) return
  for (const name of CONNECTION) {
    if (!Object.hasOwn(given, name) || given[name] === undefined) continue
    const sentence = `\`${where}.${name}\` has no effect with \`${where}.factory\`: set it in the dispatcher that the factory makes`
    throw new OptionError(`${where}.${name}`, 'a factory as well', 'none beside a factory', sentence)
  }
}
