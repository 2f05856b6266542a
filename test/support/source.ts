import { registerHooks } from 'node:module'

/**
 * Loaded with `node --import`: lets `breakwater` and its entry points be imported by their names, as a user does, and
 * takes them from the source in place of a build.
 */
registerHooks({
  resolve(specifier, context, next) {
    const entry = /^breakwater(?:\/(.+))?$/.exec(specifier)
    if (entry === null) return next(specifier, context)
    const file = entry[1] === undefined ? 'index.ts' : `${entry[1]}/index.ts`
    return next(new URL(`../../src/${file}`, import.meta.url).href, context)
  },
})
