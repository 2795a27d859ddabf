/** The plugin's version: that of the rotor that wrote it. The build puts the number in; source that runs unbuilt says so. */
declare const ROTOR_VERSION: string | undefined;

export const VERSION: string = typeof ROTOR_VERSION === "string" ? ROTOR_VERSION : "source";
