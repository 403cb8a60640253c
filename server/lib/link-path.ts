/** Addresses of links in messages, as those who write them and those who answer them have to agree on. */

/** Under the platform's own address. */
export const LINK_PATH = "/act/";
/** The parameter of such an address, and the field of the page's form, that says what to do: a name of `LinkAction`. */
export const ACT_FIELD = "act";
