/** Runs something while `Object.prototype` has more properties, as after a merge of untrusted JSON elsewhere in the process. */
export function polluted<T>(properties: object, run: () => T): T {
  const given = Object.entries(Object.getOwnPropertyDescriptors(properties))
  for (const [name, descriptor] of given) Object.defineProperty(Object.prototype, name, { ...descriptor, configurable: true })
  try {
    return run()
  } finally {
    for (const [name] of given) Reflect.deleteProperty(Object.prototype, name)
  }
}
