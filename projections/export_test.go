package projections

// VersionOf is what Version is made with.
var VersionOf = versionOf
