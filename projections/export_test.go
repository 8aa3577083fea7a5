package projections

// VersionOf exports versionOf.
var VersionOf = versionOf
