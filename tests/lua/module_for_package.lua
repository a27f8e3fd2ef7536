-- A module for package.lua to require.
return {answer = function() return 42 end}
