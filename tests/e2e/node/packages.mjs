// Packages are looked up in .tools/node, wherever the file that imports them lies.
import { registerHooks } from 'node:module';

const packages = new URL('../../../.tools/node/', import.meta.url).href;
const isPackage = (name) => !/^(\.|\/|node:|file:)/.test(name);

registerHooks({
  resolve: (name, context, next) =>
    next(name, isPackage(name) && context.parentURL.includes('/tests/e2e/') ? { ...context, parentURL: packages } : context),
});
