/**
 * Options for a library that reads more of them than are given, as an object that inherits nothing: what another module has set
 * on `Object.prototype` must not be read as an option.
 *
 * @example
 * new LRUCache(bare({ max: 10 }))
 */
export const bare = <T extends object>(options?: T): T => ({ __proto__: null, ...options } as unknown as T)
