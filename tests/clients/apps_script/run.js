// Runs a script of Apps Script against stand-ins of Google's services: `node run.js script.js < requests.json`, where
// the requests are `{secret, locked, requests: [body, …]}`. Prints the answers and the rows of the sheet.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const vm = require("node:vm");

const given = JSON.parse(fs.readFileSync(0, "utf8"));
const rows = [];
let held = 0;
const sheet = {
  getLastRow: () => rows.length,
  appendRow: (row) => {
    if (held !== 1 && rows.length > 0) throw new Error("written without the lock");
    rows.push(row);
  },
  getRange: (row, column, count) => ({ getValues: () => rows.slice(row - 1, row - 1 + count).map((one) => [one[column - 1]]) }),
};
const context = vm.createContext({
  Utilities: {
    Charset: { UTF_8: "utf8" },
    // Apps Script gives signed bytes.
    computeHmacSha256Signature: (text, key, charset) =>
      Array.from(new Int8Array(crypto.createHmac("sha256", Buffer.from(key, charset)).update(text, charset).digest())),
  },
  PropertiesService: { getScriptProperties: () => ({ getProperty: (name) => (name === "SECRET" ? given.secret : null) }) },
  LockService: {
    getScriptLock: () => ({
      tryLock: () => !given.locked && Boolean((held += 1)),
      releaseLock: () => { held -= 1; },
    }),
  },
  SpreadsheetApp: { getActiveSpreadsheet: () => ({ getSheets: () => [sheet], getSheetByName: () => sheet }) },
  ContentService: {
    MimeType: { JSON: "json" },
    createTextOutput: (text) => ({ setMimeType: () => ({ text }) }),
  },
});
vm.runInContext(fs.readFileSync(process.argv[2], "utf8"), context);
const answers = given.requests.map((body) => JSON.parse(context.doPost({ postData: { contents: body } }).text));
process.stdout.write(JSON.stringify({ answers, rows, held }));
