/* Short names for the document, and the words that the script itself says. */

export const root = document.documentElement;
export const find = (selector, within = document) => within?.querySelector(selector) ?? null;
export const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];

/* The server prints the words of this language as data-t-<name> of <html>. */
export const text = (name) => root.dataset[`t${name}`] || name;
